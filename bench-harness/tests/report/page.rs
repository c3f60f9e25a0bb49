//! The page as a reader sees it: drawn without an error, with the numbers of the result, in every guise.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::Browser;
use crate::{document, folder_of, streams};

/// What is drawn: title, labels, datasets' names and data, and whether there are pixels.
const DRAWN: &str = "return [...document.querySelectorAll('canvas')].map((canvas) => {
    const chart = Chart.getChart(canvas);
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    return {
        title: canvas.getAttribute('aria-label'),
        inked: pixels.some((value) => value !== 0),
        labels: chart.data.labels.map((label) => [].concat(label).join(', ')),
        sets: chart.data.datasets.map(({ label, data }) => ({ label, data })),
    };
});";

fn open(result: &Value, scheme: &str, width: u32) -> (Browser, TempDir) {
    let folder = folder_of(result);
    let browser = Browser::start(scheme, width, 900);
    browser.open(&folder.path().join("report.html"));
    (browser, folder)
}

fn chart<'a>(drawn: &'a Value, title: &str) -> &'a Value {
    let all = drawn.as_array().unwrap();
    let found = all.iter().find(|chart| chart["title"] == title);
    found.unwrap_or_else(|| {
        panic!("no `{title}` in {:?}", all.iter().map(|c| &c["title"]).collect::<Vec<_>>())
    })
}

/// The data of a dataset of a chart.
fn data<'a>(drawn: &'a Value, title: &str, set: &str) -> &'a Vec<Value> {
    let sets = chart(drawn, title)["sets"].as_array().unwrap();
    sets.iter().find(|found| found["label"] == set).unwrap()["data"].as_array().unwrap()
}

fn close(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found}, and not {expected}");
}

/// The windows of an arm at a load.
fn windows<'a>(result: &'a Value, arm: usize, point: &Value) -> Vec<&'a Value> {
    let windows = result["arms"][arm]["windows"].as_array().unwrap();
    windows.iter().filter(|window| window["point"] == *point).collect()
}

fn all_roles(window: &Value) -> f64 {
    let times = window["window"]["cpu_ns"].as_object().unwrap().values();
    times.map(|ns| ns.as_f64().unwrap()).sum::<f64>() / operations(window)
}

fn operations(window: &Value) -> f64 {
    window["window"]["operations"].as_f64().unwrap()
}

fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures
}

#[test]
fn all_charts_are_drawn_without_a_word_and_without_a_network() {
    let (browser, _folder) = open(&streams(), "light", 1200);
    let drawn = browser.run(DRAWN);
    let titles: Vec<_> = drawn.as_array().unwrap().iter().map(|chart| &chart["title"]).collect();
    assert_eq!(
        titles,
        [
            "Latency of handshakes, full, at 50 % of saturation, each of its own",
            "Latency of handshakes, full, at 80 % of saturation, each of its own",
            "Latency of handshakes, resumed, at 50 % of saturation, each of its own",
            "Latency of handshakes, resumed, at 80 % of saturation, each of its own",
            "Latency of streams, 1 MiB an operation, at 50 % of saturation, each of its own",
            "Latency of streams, 1 MiB an operation, at 80 % of saturation, each of its own",
            "CPU time of a handshake, at saturation",
            "CPU time of a MiB streamed, at saturation",
            "CPU tax over plaintext, at saturation",
            "Throughput, at saturation",
        ]
    );
    for chart in drawn.as_array().unwrap() {
        assert_eq!(chart["inked"], true, "{} is empty", chart["title"]);
    }
    assert_eq!(browser.console(), Vec::<Value>::new());
    let fetched = "return performance.getEntriesByType('resource').map((entry) => entry.name)";
    let fetched = browser.run(fetched);
    let fetched: Vec<_> =
        fetched.as_array().unwrap().iter().filter(|url| *url != "data:,").collect();
    assert!(fetched.is_empty(), "{fetched:?}");
    // And the console would have told.
    browser.run("setTimeout(() => { throw new Error('planted') }); return 0");
    browser.run("return new Promise((done) => setTimeout(done, 50))");
    assert!(browser.console().iter().any(|line| line.to_string().contains("planted")));
}

#[test]
fn what_is_drawn_is_what_the_result_holds() {
    let result = streams();
    let (browser, _folder) = open(&result, "light", 1200);
    let drawn = browser.run(DRAWN);

    // The second arm is the handshake in the process.
    let mut all = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).unwrap();
    for window in windows(&result, 1, &json!({"fraction": 0.5})) {
        let bytes = STANDARD.decode(window["window"]["latency"].as_str().unwrap()).unwrap();
        let one: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        all.add(one).unwrap();
    }
    let title = "Latency of handshakes, full, at 50 % of saturation, each of its own";
    let points = data(&drawn, title, "in-process, offload");
    assert!(points.len() > 5, "{points:?}");
    for point in points {
        let fraction = point["fraction"].as_f64().unwrap();
        close(&point["x"], 1.0 / (1.0 - fraction));
        close(&point["y"], all.value_at_quantile(fraction) as f64 / 1e3);
    }

    let saturated = json!("saturation");
    let title = "CPU time of a handshake, at saturation";
    assert_eq!(chart(&drawn, title)["labels"][2], "handshake full, sidecar, offload");
    let rounds = windows(&result, 2, &saturated);
    let operations_of_all: f64 = rounds.iter().map(|window| operations(window)).sum();
    for role in ["generator", "client-sidecar", "server-sidecar", "server"] {
        let ns = |window: &&Value| window["window"]["cpu_ns"][role].as_f64().unwrap();
        let expected = rounds.iter().map(ns).sum::<f64>() / operations_of_all / 1e3;
        close(&data(&drawn, title, role)[2], expected);
    }
    let beyond = |window: &&Value| {
        window["window"]["machine_busy_ns"].as_f64().unwrap()
            - result["machine_idle_ns_per_s"].as_f64().unwrap()
                * window["window"]["seconds"].as_f64().unwrap()
            - all_roles(window) * operations(window)
    };
    let expected = rounds.iter().map(beyond).sum::<f64>() / operations_of_all / 1e3;
    close(&data(&drawn, title, "residual")[2], expected);

    let title = "CPU tax over plaintext, at saturation";
    assert_eq!(chart(&drawn, title)["labels"][0], "handshake full, in-process, offload");
    let taxes = sorted(windows(&result, 1, &saturated).into_iter().map(|own| {
        let of_round = |other: &&Value| other["round"] == own["round"];
        let plain = windows(&result, 0, &saturated).into_iter().find(of_round).unwrap();
        (all_roles(own) / all_roles(plain) - 1.0) * 100.0
    }));
    close(&data(&drawn, title, "median")[0], taxes[taxes.len() / 2]);
    close(&data(&drawn, title, "range")[0][0], taxes[0]);
    close(&data(&drawn, title, "range")[0][1], taxes[taxes.len() - 1]);

    let title = "Throughput, at saturation";
    assert_eq!(chart(&drawn, title)["labels"][0], "stream, plaintext");
    let rates = sorted(windows(&result, 5, &saturated).into_iter().map(|window| {
        operations(window) * f64::from(1 << 20)
            / 1e9
            / window["window"]["seconds"].as_f64().unwrap()
    }));
    close(&data(&drawn, title, "median")[0], rates[rates.len() / 2]);
}

#[test]
fn a_bar_tells_its_numbers_to_the_mouse() {
    let (browser, _folder) = open(&document(), "light", 1200);
    let place = browser.run(
        "const canvas = document.querySelector('canvas[aria-label^=\"CPU time of a handshake\"]');
         canvas.scrollIntoView({ block: 'center' });
         const { left, top } = canvas.getBoundingClientRect();
         const bar = Chart.getChart(canvas).getDatasetMeta(0).data[1];
         return [left + (bar.base + bar.x) / 2, top + bar.y];",
    );
    browser.point_at(place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
    let told = browser.run(
        "const chart = Chart.getChart(
             document.querySelector('canvas[aria-label^=\"CPU time of a handshake\"]'));
         return new Promise((done) => {
             const look = () => chart.tooltip.opacity > 0
                 ? done([chart.tooltip.body.map((part) => part.lines[0]), chart.tooltip.footer])
                 : requestAnimationFrame(look);
             look();
         })",
    );
    let result = document();
    let rounds = windows(&result, 1, &json!("saturation"));
    let (ns, operations) = rounds.iter().fold((0.0, 0.0), |(ns, count), window| {
        (ns + window["window"]["cpu_ns"]["generator"].as_f64().unwrap(), count + operations(window))
    });
    let expected = format!("generator: {:.0} us", ns / operations / 1e3);
    assert!(told[0].as_array().unwrap().contains(&json!(expected)), "{expected}: {told}");
    assert!(!told[0].to_string().contains("sidecar"), "there is none on this path: {told}");
    assert!(told[1].to_string().contains("together: "), "{told}");
}

#[test]
fn light_and_dark_are_the_readers_choice() {
    let colours = |scheme: &str| {
        let (browser, _folder) = open(&document(), scheme, 1200);
        browser.run(
            "const chart = Chart.getChart(document.querySelector('canvas'));
             return [getComputedStyle(document.body).backgroundColor, chart.options.scales.x.ticks.color];",
        )
    };
    assert_eq!(colours("light"), json!(["rgb(255, 255, 255)", "#1d2430"]));
    assert_eq!(colours("dark"), json!(["rgb(20, 23, 28)", "#e4e8ee"]));
}

#[test]
fn nothing_is_wider_than_a_phone() {
    let (browser, _folder) = open(&document(), "light", 360);
    let widths = browser.run(
        "return [document.documentElement.scrollWidth, innerWidth,
             Math.max(...[...document.querySelectorAll('canvas')].map((c) => c.getBoundingClientRect().right))]",
    );
    let [page, window, charts] = [0, 1, 2].map(|index| widths[index].as_f64().unwrap());
    assert_eq!(window, 360.0);
    assert!(page <= window && charts <= window, "{widths}");
}

#[test]
fn it_prints_on_white() {
    let (browser, _folder) = open(&document(), "dark", 1200);
    browser.run(
        "addEventListener('beforeprint', () => {
             window.printed = [getComputedStyle(document.body).backgroundColor,
                 Chart.getChart(document.querySelector('canvas')).width];
         }); return 0",
    );
    let pdf = STANDARD.decode(browser.print()).unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
    assert_eq!(browser.run("return window.printed"), json!(["rgb(255, 255, 255)", 660]));
    let after = browser.run("return getComputedStyle(document.body).backgroundColor");
    assert_eq!(after, "rgb(20, 23, 28)", "the screen stays dark");
    assert_eq!(browser.console(), Vec::<Value>::new());
}

#[test]
fn text_from_a_result_is_text() {
    let evil = "</script><img src=x onerror=\"window.harm=1\"><script>window.harm=1</script>";
    let mut result = document();
    result["instance"]["name"] = json!(evil);
    result["machine"]["os"] = json!(evil);
    result["arms"][1]["path"] = json!(evil);
    result["arms"][1]["program"] = json!(evil);
    result["arms"][1]["windows"][0]["problems"] = json!([evil]);
    result["arms"][1]["windows"][0]["window"]["cpu_ns"][evil] = json!(1000);
    result["plan"]["choices"][evil] = json!({"backend": evil, "reason": evil, "timings": []});
    let (browser, folder) = open(&result, "light", 1200);
    assert_eq!(browser.run("return window.harm === undefined"), true);
    assert_eq!(browser.run("return document.images.length"), 0);
    assert_eq!(browser.console(), Vec::<Value>::new());
    let drawn = browser.run(DRAWN);
    assert_eq!(drawn.as_array().unwrap().len(), 9);
    let text = browser.run("return document.body.innerText");
    assert!(text.as_str().unwrap().matches(evil).count() > 5);
    assert!(text.as_str().unwrap().contains("INVALID: "));
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert_eq!(page.matches("</script>").count(), 3);
}

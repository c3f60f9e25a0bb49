//! Noise, places and prices on figures that are made up; the command on real results is in `tests/compare.rs`.

use super::*;

fn figure(value: f64, range: Option<(f64, f64)>) -> Figure {
    Figure { value, range }
}

#[test]
fn better_is_more_of_a_rate_and_less_of_a_cost() {
    let (small, large) = (figure(1.0, Some((0.9, 1.1))), figure(2.0, Some((1.9, 2.1))));
    for metric in Metric::ALL {
        let costs = matches!(metric, Metric::CpuUs | Metric::P99);
        assert_eq!(small.surely_better(&large, metric), costs, "{metric:?}");
        assert_eq!(large.surely_better(&small, metric), !costs, "{metric:?}");
    }
}

#[test]
fn overlapping_and_unknown_ranges_tell_nothing_apart() {
    let one = figure(1.0, Some((0.9, 1.5)));
    for other in [figure(2.0, Some((1.5, 2.5))), figure(2.0, None)] {
        assert!(!one.surely_better(&other, Metric::P99));
        assert!(!other.surely_better(&one, Metric::P99));
    }
}

#[test]
fn a_place_counts_who_is_surely_better() {
    let row = |label: &str, value: f64, range: f64| Row {
        place: None,
        label: label.to_owned(),
        figures: [(Metric::PerVcpuFull, figure(value, Some((value - range, value + range))))]
            .into(),
    };
    let mut rows = [row("slow", 50.0, 1.0), row("b", 99.0, 5.0), row("a", 100.0, 5.0)];
    rank(&mut rows, Metric::PerVcpuFull);
    let places: Vec<_> = rows.iter().map(|row| (row.label.as_str(), row.place)).collect();
    assert_eq!(places, [("a", Some(1)), ("b", Some(1)), ("slow", Some(3))]);
}

#[test]
fn prices_that_are_none_are_refused() {
    let text = |price: &str| format!("[instances.x]\nper_hour = {price}\nnote = \"today\"");
    for price in ["0.0", "-1.0", "nan", "inf", "\"1\""] {
        assert!(Prices::parse(&text(price)).is_err(), "{price}");
    }
    assert!(Prices::parse("[instances.x]\nper_hour = 1.0").is_err(), "of when and where?");
    let prices = Prices::parse(&text("0.5")).unwrap();
    assert_eq!(prices.of("x").unwrap().to_string(), "0.5 USD an hour (today)");
    assert!(prices.of("y").is_none());
}

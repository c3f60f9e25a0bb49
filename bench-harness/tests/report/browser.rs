//! A headless Chromium, driven by its own driver in the W3C WebDriver protocol: JSON over HTTP.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What keeps it from doing anything that it was not told.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one window; it ends with the test.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// A browser whose reader prefers `scheme` (`light` or `dark`), with a window of this size.
    pub(crate) fn start(scheme: &str, width: u32, height: u32) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts; ci/setup installs it (Debian package chromium-driver)");
        let port = BufReader::new(driver.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                line.contains("started successfully on port")
                    .then(|| line.chars().filter(char::is_ascii_digit).collect::<String>())
            })
            .expect("chromedriver tells its port");
        let profile = TempDir::new().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let arguments: Vec<&str> = FLAGS.into_iter().chain([folder.as_str()]).collect();
        let session = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { driver, session, _profile: profile };
        let begun = browser.post(
            "",
            &json!({"capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": {"args": arguments},
                "goog:loggingPrefs": {"browser": "ALL"},
            }}}),
        );
        browser.session.push_str(&format!("/{}", begun["sessionId"].as_str().unwrap()));
        let features = [json!({"name": "prefers-color-scheme", "value": scheme})];
        browser.tell("Emulation.setEmulatedMedia", &json!({"features": features}));
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        browser.tell("Emulation.setDeviceMetricsOverride", &screen);
        browser
    }

    /// Opens a file.
    pub(crate) fn open(&self, file: &Path) {
        self.post("/url", &json!({"url": format!("file://{}", file.display())}));
    }

    /// What a function of this body returns, in the page.
    pub(crate) fn run(&self, body: &str) -> Value {
        self.post("/execute/sync", &json!({"script": body, "args": []}))
    }

    /// Puts the mouse on a point of the window.
    pub(crate) fn point_at(&self, x: f64, y: f64) {
        let step = json!({"type": "pointerMove", "duration": 0, "x": x as i64, "y": y as i64});
        let mouse = json!({"type": "pointer", "id": "mouse", "actions": [step]});
        self.post("/actions", &json!({"actions": [mouse]}));
    }

    /// What the page has said on its console since this was last asked.
    pub(crate) fn console(&self) -> Vec<Value> {
        self.post("/se/log", &json!({"type": "browser"})).as_array().unwrap().clone()
    }

    /// The page as PDF, in base64.
    pub(crate) fn print(&self) -> String {
        self.post("/print", &json!({})).as_str().unwrap().to_owned()
    }

    /// A command of the DevTools protocol.
    fn tell(&self, command: &str, params: &Value) {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": params}));
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut answer = agent
            .post(format!("{}{path}", self.session))
            .content_type("application/json")
            .send(body.to_string())
            .unwrap();
        let text = answer.body_mut().with_config().limit(100 << 20).read_to_string().unwrap();
        assert!(answer.status().is_success(), "{path}: {text}");
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when it is asked to, and not when it is killed.
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let _ = agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

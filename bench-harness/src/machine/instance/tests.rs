//! Against real servers on the loopback, well-behaved and not.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::super::root::fixture::machine;
use super::*;

const EC2: &[(&str, &str)] = &[("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n")];
const GCE: &[(&str, &str)] = &[
    ("/sys/class/dmi/id/sys_vendor", "Google\n"),
    ("/sys/class/dmi/id/product_name", "Google Compute Engine\n"),
];
const AZURE: &[(&str, &str)] = &[
    ("/sys/class/dmi/id/sys_vendor", "Microsoft Corporation\n"),
    ("/sys/class/dmi/id/product_name", "Virtual Machine\n"),
    ("/sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n"),
];

/// A server that hands each connection's request head to `answer` and remembers the heads.
struct Server {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let head = read_head(&stream);
                remembered.lock().unwrap().push(head.clone());
                answer(&head, &mut stream);
            }
        });
        Self { url, heads }
    }

    fn answering(status: &'static str, body: &'static str) -> Self {
        Self::start(move |_, stream| respond(stream, status, body))
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    fn endpoints(&self) -> Endpoints {
        Endpoints { ec2: Some(self.url.clone()), gce: self.url.clone(), azure: self.url.clone() }
    }
}

fn read_head(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    head.join("\n").to_lowercase()
}

/// Errors are ignored: the client may have hung up, as it should on a huge answer.
fn respond(stream: &mut TcpStream, status: &str, body: &str) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

fn ask_at(files: &[(&str, &str)], endpoints: &Endpoints, timeout: Duration) -> Instance {
    let (_guard, root) = machine(files);
    name_at(None, &root, endpoints, timeout).unwrap()
}

fn ask(files: &[(&str, &str)], server: &Server) -> Instance {
    ask_at(files, &server.endpoints(), Duration::from_secs(30))
}

fn assert_unknown(instance: &Instance, because: &str) {
    assert_eq!((instance.name.as_str(), instance.source), ("unknown", Source::Unknown));
    let reason = instance.reason.as_deref().unwrap();
    assert!(reason.contains(because), "{reason}");
}

#[test]
fn ec2_is_asked_for_a_token_and_then_with_it() {
    let server = Server::start(|head, stream| {
        let body = if head.starts_with("put ") { "secret-token==\n" } else { "m7i.large" };
        respond(stream, "200 OK", body);
    });
    let instance = ask(EC2, &server);
    assert_eq!((instance.name.as_str(), instance.source), ("m7i.large", Source::Ec2Metadata));
    let heads = server.heads();
    assert_eq!(heads.len(), 2);
    assert!(heads[0].starts_with("put /latest/api/token http/1.1"));
    assert!(heads[0].contains("x-aws-ec2-metadata-token-ttl-seconds: 60"));
    assert!(heads[1].starts_with("get /latest/meta-data/instance-type http/1.1"));
    assert!(heads[1].contains("x-aws-ec2-metadata-token: secret-token=="));
}

#[test]
fn compute_engine_answers_with_a_path() {
    let server = Server::answering("200 OK", "projects/42/machineTypes/n2-standard-8\n");
    let instance = ask(GCE, &server);
    assert_eq!((instance.name.as_str(), instance.source), ("n2-standard-8", Source::GceMetadata));
    let head = &server.heads()[0];
    assert!(head.starts_with("get /computemetadata/v1/instance/machine-type http/1.1"));
    assert!(head.contains("metadata-flavor: google"));
}

#[test]
fn azure_sizes_become_lower_case() {
    let server = Server::answering("200 OK", "Standard_D4ds_v5");
    let instance = ask(AZURE, &server);
    let expected = ("standard_d4ds_v5", Source::AzureMetadata);
    assert_eq!((instance.name.as_str(), instance.source), expected);
    let head = &server.heads()[0];
    assert!(head.starts_with("get /metadata/instance/compute/vmsize?api-version="));
    assert!(head.contains("metadata: true"));
}

#[test]
fn without_a_cloud_in_dmi_nobody_is_asked() {
    let server = Server::answering("200 OK", "m7i.large");
    assert_unknown(&ask(&[], &server), "DMI");
    let own = [("/sys/class/dmi/id/product_name", "PowerEdge R640\n")];
    assert_eq!(ask(&own, &server).name, "poweredge-r640");
    assert!(server.heads().is_empty());
}

#[test]
fn a_type_in_dmi_or_a_flag_spares_the_request() {
    let server = Server::answering("200 OK", "m7i.large");
    let nitro = [EC2[0], ("/sys/class/dmi/id/product_name", "c7g.metal\n")];
    assert_eq!(ask(&nitro, &server).name, "c7g.metal");
    let (_guard, root) = machine(EC2);
    let flag = name_at(Some("My Box"), &root, &server.endpoints(), TIMEOUT).unwrap();
    assert_eq!((flag.name.as_str(), flag.source), ("my-box", Source::Flag));
    assert!(server.heads().is_empty());
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let endpoints = Endpoints { ec2: Some(url.clone()), gce: url.clone(), azure: url };
    for cloud in [EC2, GCE, AZURE] {
        let instance = ask_at(cloud, &endpoints, Duration::from_millis(100));
        assert_unknown(&instance, "did not answer in time");
    }
}

#[test]
fn a_server_that_dribbles_for_ever_is_given_up() {
    let server = Server::start(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n";
        let mut written = stream.write_all(head);
        while written.is_ok() {
            std::thread::sleep(Duration::from_millis(5));
            written = stream.write_all(b"m");
        }
    });
    let instance = ask_at(GCE, &server.endpoints(), Duration::from_millis(200));
    assert_unknown(&instance, "did not answer in time");
}

#[test]
fn the_token_and_the_type_share_one_deadline() {
    let server = Server::start(|head, stream| {
        if head.starts_with("put ") {
            std::thread::sleep(Duration::from_millis(300));
            respond(stream, "200 OK", "token");
        } else {
            // Longer than what the token left, shorter than the whole.
            std::thread::sleep(Duration::from_millis(800));
            respond(stream, "200 OK", "m7i.large");
        }
    });
    let instance = ask_at(EC2, &server.endpoints(), Duration::from_secs(1));
    assert_unknown(&instance, "did not answer in time");
}

#[test]
fn garbage_is_no_name() {
    for body in ["<html>log in</html>", "", "two words", "../../etc", "m7i.large\0", "-rf"] {
        assert_unknown(&ask(AZURE, &Server::answering("200 OK", body)), "no instance type");
    }
    let server = Server::start(|_, stream| {
        let _ = stream.write_all(b"\x16\x03\x01\xff\xff not http at all\r\n\r\n");
    });
    assert_unknown(&ask(GCE, &server), "failed");
}

#[test]
fn a_token_that_is_no_header_value_is_a_failure() {
    let server = Server::answering("200 OK", "to\r\nken");
    assert_unknown(&ask(EC2, &server), "failed");
}

#[test]
fn huge_answers_are_cut_off() {
    let long_name = Server::start(|_, stream| respond(stream, "200 OK", &"m".repeat(4000)));
    assert_unknown(&ask(GCE, &long_name), "no instance type");
    let huge = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'm'; 65536]).is_ok() {}
    });
    assert_unknown(&ask(GCE, &huge), "failed");
    let huge_head = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(&[b'm'; 65536]).is_ok() {}
    });
    assert_unknown(&ask(GCE, &huge_head), "failed");
}

#[test]
fn redirects_and_errors_are_not_followed() {
    let elsewhere = Server::answering("200 OK", "m7i.large");
    let target = elsewhere.url.clone();
    let server = Server::start(move |_, stream| {
        let head =
            format!("HTTP/1.1 302 Found\r\nLocation: {target}/\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.write_all(head.as_bytes());
    });
    assert_unknown(&ask(GCE, &server), "status 302");
    assert!(elsewhere.heads().is_empty());
    assert_unknown(&ask(EC2, &Server::answering("403 Forbidden", "no")), "status 403");
}

#[test]
fn a_closed_port_and_https_are_failures() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for url in [format!("http://{closed}"), format!("https://{closed}"), "nonsense".to_owned()] {
        let endpoints = Endpoints { ec2: Some(url.clone()), gce: url.clone(), azure: url };
        assert_unknown(&ask_at(EC2, &endpoints, Duration::from_secs(30)), "failed");
    }
}

#[test]
fn endpoints_obey_the_sdks_variables() {
    let default = Endpoints::from_variables(|_| None);
    assert_eq!(default.ec2.as_deref(), Some("http://169.254.169.254"));
    assert_eq!(default.gce, "http://169.254.169.254");
    let set = Endpoints::from_variables(|name| match name {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT" => Some("http://[fd00:ec2::254]/".to_owned()),
        "GCE_METADATA_HOST" => Some("metadata.test:8080".to_owned()),
        _ => Some(String::new()),
    });
    assert_eq!(set.ec2.as_deref(), Some("http://[fd00:ec2::254]"));
    assert_eq!(set.gce, "http://metadata.test:8080");
    let off = Endpoints::from_variables(|name| {
        (name == "AWS_EC2_METADATA_DISABLED").then(|| "TRUE".to_owned())
    });
    assert_eq!(off.ec2, None);
    assert_unknown(&ask_at(EC2, &off, TIMEOUT), "switched off");
}

#[test]
fn folder_names_are_safe() {
    for (text, expected) in [
        ("m7i.large", Some("m7i.large")),
        ("Standard PC (Q35 + ICH9, 2009)", Some("standard-pc-q35-ich9-2009")),
        ("../../etc/passwd", Some("etc-passwd")),
        ("Ünïcode", Some("n-code")),
        (".hidden", Some("hidden")),
        ("a\nb", Some("a-b")),
        ("..", None),
        ("", None),
        ("///", None),
    ] {
        assert_eq!(folder_name(text).as_deref(), expected, "{text:?}");
    }
    assert_eq!(folder_name(&"x".repeat(300)).unwrap().len(), LONGEST);
}

#[test]
fn a_flag_without_letters_or_digits_is_an_error() {
    let error = name(Some("../..")).unwrap_err().to_string();
    assert!(error.contains("\"../..\""), "{error}");
}

//! The metadata services of three clouds, asked for one fact: the instance type.
//!
//! All are plain HTTP/1.1 at a link-local address. One deadline covers everything, redirects and
//! proxies are never followed, answers are read up to a bound, and an answer that is not a plain
//! name is thrown away.

use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::Response;
use ureq::typestate::WithoutBody;
use ureq::{Body, RequestBuilder};

use super::LONGEST;
use super::dmi::Cloud;

/// Longest answer that is read, in bytes. An IMDSv2 token has 56.
const LONGEST_ANSWER: u64 = 4096;

/// Where the metadata services answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// URL of the EC2 service, without a path; `None` if the user has switched it off.
    pub ec2: Option<String>,
    /// URL of the Compute Engine server, without a path.
    pub gce: String,
    /// URL of the Azure service, without a path.
    pub azure: String,
}

impl Endpoints {
    /// The clouds' own addresses, unless the variables their SDKs obey say otherwise:
    /// `AWS_EC2_METADATA_SERVICE_ENDPOINT` (a URL), `AWS_EC2_METADATA_DISABLED` (`true`) and
    /// `GCE_METADATA_HOST` (a host, perhaps with a port).
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let link_local = "http://169.254.169.254";
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let disabled = set("AWS_EC2_METADATA_DISABLED")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let ec2 = set("AWS_EC2_METADATA_SERVICE_ENDPOINT")
            .map_or_else(|| link_local.to_owned(), |url| url.trim_end_matches('/').to_owned());
        Self {
            ec2: (!disabled).then_some(ec2),
            gce: set("GCE_METADATA_HOST")
                .map_or_else(|| link_local.to_owned(), |host| format!("http://{host}")),
            azure: link_local.to_owned(),
        }
    }
}

/// Why a metadata service gave no name.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the EC2 metadata service is switched off by AWS_EC2_METADATA_DISABLED")]
    Disabled,
    #[error(
        "the metadata service at {url} did not answer in time; in a container its hop limit may \
         be too low, so give the name yourself"
    )]
    Silent { url: String },
    #[error("the metadata service at {url} failed: {source}")]
    Http { url: String, source: Box<ureq::Error> },
    #[error("the metadata service at {url} answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("the metadata service at {url} answered with something that is no instance type")]
    Garbage { url: String },
}

/// Asks `cloud`'s service for the instance type, within `timeout` in all.
pub(super) fn instance_type(
    cloud: Cloud,
    endpoints: &Endpoints,
    timeout: Duration,
) -> Result<String, Failure> {
    let client = Client::new(timeout);
    match cloud {
        Cloud::Ec2 => ec2(&client, endpoints.ec2.as_deref().ok_or(Failure::Disabled)?),
        Cloud::Gce => gce(&client, &endpoints.gce),
        Cloud::Azure => azure(&client, &endpoints.azure),
    }
}

/// IMDSv2: a session token first, then the type with it.
fn ec2(client: &Client, endpoint: &str) -> Result<String, Failure> {
    let url = format!("{endpoint}/latest/api/token");
    let token = client.put(&url, ("X-aws-ec2-metadata-token-ttl-seconds", "60"))?;
    let url = format!("{endpoint}/latest/meta-data/instance-type");
    plain(&client.get(&url, ("X-aws-ec2-metadata-token", &token))?, url)
}

/// The answer is a path, `projects/<number>/machineTypes/<type>`.
fn gce(client: &Client, endpoint: &str) -> Result<String, Failure> {
    let url = format!("{endpoint}/computeMetadata/v1/instance/machine-type");
    let path = client.get(&url, ("Metadata-Flavor", "Google"))?;
    plain(path.rsplit('/').next().unwrap_or_default(), url)
}

fn azure(client: &Client, endpoint: &str) -> Result<String, Failure> {
    let url =
        format!("{endpoint}/metadata/instance/compute/vmSize?api-version=2021-02-01&format=text");
    plain(&client.get(&url, ("Metadata", "true"))?, url)
}

/// `answer` if it is a plain name: a captive portal's page must not become a folder.
fn plain(answer: &str, url: String) -> Result<String, Failure> {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let begins_well = answer.starts_with(|first: char| first.is_ascii_alphanumeric());
    if begins_well && answer.len() <= LONGEST && answer.bytes().all(is_name_byte) {
        Ok(answer.to_owned())
    } else {
        Err(Failure::Garbage { url })
    }
}

/// An HTTP client with one deadline for all its requests.
struct Client {
    agent: Agent,
    deadline: Instant,
}

impl Client {
    fn new(timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .build();
        Self { agent: config.new_agent(), deadline: Instant::now() + timeout }
    }

    fn get(&self, url: &str, header: (&str, &str)) -> Result<String, Failure> {
        let request: RequestBuilder<WithoutBody> = self.agent.get(url);
        let request = request.config().timeout_global(Some(self.left())).build();
        text(url, request.header(header.0, header.1).call())
    }

    fn put(&self, url: &str, header: (&str, &str)) -> Result<String, Failure> {
        let request = self.agent.put(url).config().timeout_global(Some(self.left())).build();
        text(url, request.header(header.0, header.1).send_empty())
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// The trimmed body of a response with status 200.
fn text(url: &str, response: Result<Response<Body>, ureq::Error>) -> Result<String, Failure> {
    let failure = |error| match error {
        ureq::Error::Timeout(_) => Failure::Silent { url: url.to_owned() },
        error => Failure::Http { url: url.to_owned(), source: Box::new(error) },
    };
    let mut response = response.map_err(failure)?;
    let status = response.status().as_u16();
    if status != 200 {
        return Err(Failure::Status { url: url.to_owned(), status });
    }
    let body = response.body_mut().with_config().limit(LONGEST_ANSWER);
    Ok(body.read_to_string().map_err(failure)?.trim().to_owned())
}

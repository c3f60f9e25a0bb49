//! The command's handle on a role process: start it, ask it, and never leave it behind.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command as ProcessCommand};
use tokio::time::timeout;

use super::protocol::{Command, Reply, RoleSpec};
use crate::Error;
use crate::load::{LoadOrder, Window};
use crate::measure::Watched;
use crate::tls::Observations;

/// How long a role may take to answer, beyond the time that its task takes by design.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a supervisor may take to end its proxy.
const ENDING: Duration = Duration::from_secs(10);

/// How long a role's end is waited for where another failure points to it.
const LAST_MOMENTS: Duration = Duration::from_millis(500);

/// How long a role may take for each certificate that it issues: RSA keys take this long to find.
const ISSUING: Duration = Duration::from_millis(250);

/// Lines of standard error kept for the error message.
const LAST_WORDS: usize = 3;

/// A running role process; ended when dropped: a supervisor by the end of its standard input, since it
/// has a proxy to end, any other by SIGKILL.
pub struct Role {
    name: String,
    child: Child,
    /// None once the role has been told to end.
    input: Option<ChildStdin>,
    replies: Lines<BufReader<ChildStdout>>,
    last_words: Arc<Mutex<VecDeque<String>>>,
    pid: i32,
    supervises: bool,
    watched: Watched,
    address: Option<SocketAddr>,
}

impl Role {
    /// Starts the role `spec` under `name` and waits until it is ready.
    ///
    /// # Errors
    /// When the process can't be started or says that it can't do its task.
    pub async fn start(name: &str, spec: &RoleSpec) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(Error::io("finding this program"))?;
        Self::start_program(&program, name, spec).await
    }

    /// As [`Self::start`], with another build of this program.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_program(
        program: &std::path::Path,
        name: &str,
        spec: &RoleSpec,
    ) -> Result<Self, Error> {
        let supervises = matches!(spec, RoleSpec::External(_));
        let mut child = ProcessCommand::new(program)
            .arg("role")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C at the terminal is for the command, which then ends its roles in order.
            .process_group(0)
            .kill_on_drop(!supervises)
            .spawn()
            .map_err(Error::io(format!("starting the {name} process")))?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let (Some(input), Some(output), Some(errors), Some(pid)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take(), pid)
        else {
            return Err(Error::RoleFailed {
                role: name.to_owned(),
                message: "no pipes".to_owned(),
            });
        };
        let mut role = Self {
            name: name.to_owned(),
            child,
            input: Some(input),
            replies: BufReader::new(output).lines(),
            last_words: keep_last_words(errors),
            pid,
            supervises,
            watched: Watched::Process(pid),
            address: None,
        };
        role.send(spec).await?;
        match role.reply(PATIENCE + ISSUING * spec.leaves_to_issue()).await? {
            Reply::Ready { address, watched } => {
                role.address = address;
                if let Some(watched) = watched {
                    role.watched = watched;
                }
            }
            other => return Err(role.unexpected(&other)),
        }
        Ok(role)
    }

    /// The role's name in results and messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Of what the role's CPU time and memory are read.
    pub fn watched(&self) -> Watched {
        self.watched.clone()
    }

    /// The process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Where the role listens.
    ///
    /// # Errors
    /// When it is a role that doesn't listen.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        self.address.ok_or_else(|| Error::RoleFailed {
            role: self.name.clone(),
            message: "told no address".to_owned(),
        })
    }

    /// What the role's TLS end saw since it was last asked.
    ///
    /// # Errors
    /// When the role is gone.
    pub async fn observe(&mut self) -> Result<Observations, Error> {
        self.send(&Command::Observe).await?;
        match self.reply(PATIENCE).await? {
            Reply::Observed(observations) => Ok(observations),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Generator: its ceiling in operations a second.
    ///
    /// # Errors
    /// When the role is gone or its operations fail.
    pub async fn calibrate(&mut self, seconds: f64) -> Result<f64, Error> {
        self.send(&Command::Calibrate { seconds }).await?;
        match self.reply(PATIENCE + Duration::from_secs_f64(seconds)).await? {
            Reply::Calibrated { ceiling } => Ok(ceiling),
            other => Err(self.unexpected(&other)),
        }
    }

    /// The end that originates TLS: from now on keeps new sessions and uses none, or ends that.
    ///
    /// # Errors
    /// When the role is gone.
    pub async fn set_priming(&mut self, on: bool) -> Result<(), Error> {
        self.expect_done(&Command::Priming(on), PATIENCE).await
    }

    /// The end that originates TLS: has fresh identities for so many connections, if each is to have
    /// one of its own.
    ///
    /// # Errors
    /// When the role is gone or can't issue them.
    pub async fn supply(&mut self, connections: u64) -> Result<(), Error> {
        let most = u32::try_from(connections).unwrap_or(u32::MAX);
        self.expect_done(&Command::Supply { connections }, PATIENCE + ISSUING * most).await
    }

    /// Generator: makes operations that are not measured.
    ///
    /// # Errors
    /// When the role is gone or an operation fails.
    pub async fn prime(&mut self, operations: u64) -> Result<(), Error> {
        self.expect_done(&Command::Prime { operations }, PATIENCE * 4).await
    }

    /// Generator: opens connections and keeps them.
    ///
    /// # Errors
    /// When the role is gone or a connection fails.
    pub async fn hold(&mut self, connections: usize) -> Result<(), Error> {
        self.expect_done(&Command::Hold { connections }, PATIENCE * 4).await
    }

    /// Generator: applies load and measures one window.
    ///
    /// # Errors
    /// When the role is gone.
    pub async fn load(&mut self, order: &LoadOrder) -> Result<Window, Error> {
        self.send(&Command::Load(order.clone())).await?;
        match self.reply(PATIENCE + order.length()).await? {
            Reply::Measured(window) => Ok(*window),
            other => Err(self.unexpected(&other)),
        }
    }

    async fn expect_done(&mut self, command: &Command, patience: Duration) -> Result<(), Error> {
        self.send(command).await?;
        match self.reply(patience).await? {
            Reply::Done => Ok(()),
            other => Err(self.unexpected(&other)),
        }
    }

    async fn send<T: serde::Serialize>(&mut self, message: &T) -> Result<(), Error> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let sent = match &mut self.input {
            Some(input) => input.write_all(&line).await.is_ok(),
            None => false,
        };
        if sent { Ok(()) } else { Err(self.died().await) }
    }

    async fn reply(&mut self, patience: Duration) -> Result<Reply, Error> {
        let line = timeout(patience, self.replies.next_line()).await.map_err(|_| {
            Error::RoleSilent { role: self.name.clone(), seconds: patience.as_secs() }
        })?;
        match line {
            Ok(Some(line)) => match serde_json::from_str(&line)? {
                Reply::Failed { message } => {
                    Err(Error::RoleFailed { role: self.name.clone(), message })
                }
                reply => Ok(reply),
            },
            Ok(None) | Err(_) => Err(self.died().await),
        }
    }

    /// Ends the process and waits until it is gone.
    pub async fn stop(&mut self) {
        if self.supervises {
            drop(self.input.take());
            if timeout(ENDING, self.child.wait()).await.is_ok() {
                return;
            }
        }
        // It may have ended by itself, which is just as well.
        let _ = self.child.kill().await;
    }

    /// The error that tells of this role's end, if it has ended.
    pub async fn ended(&mut self) -> Option<Error> {
        match timeout(LAST_MOMENTS, self.child.wait()).await {
            Err(_) => None,
            Ok(_) => Some(self.died().await),
        }
    }

    async fn died(&mut self) -> Error {
        let status = match timeout(Duration::from_secs(1), self.child.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            _ => "closed its output but still runs".to_owned(),
        };
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        let stderr = words.iter().map(String::as_str).collect::<Vec<_>>().join(" / ");
        let stderr = if stderr.is_empty() { "none".to_owned() } else { stderr };
        Error::RoleDied { role: self.name.clone(), status, stderr }
    }

    fn unexpected(&self, reply: &Reply) -> Error {
        Error::RoleFailed {
            role: self.name.clone(),
            message: format!("answered out of turn: {reply:?}"),
        }
    }
}

fn keep_last_words(errors: tokio::process::ChildStderr) -> Arc<Mutex<VecDeque<String>>> {
    let words = Arc::new(Mutex::new(VecDeque::new()));
    let kept = words.clone();
    tokio::spawn(async move {
        let mut lines = BufReader::new(errors).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == LAST_WORDS {
                kept.pop_front();
            }
            kept.push_back(line);
        }
    });
    words
}

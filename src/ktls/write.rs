//! A connection whose records the kernel protects: writing, closing, and changing keys.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ktls_core::ContentType;
use ktls_core::ffi::send_tls_control_message;
use rustls::AlertDescription;
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;

use super::budget::Budget;
use super::control;
use super::{KernelStream, KtlsError};

const WARNING: u8 = 1;
const FATAL: u8 = 2;

/// What the sending side owes, and may still do.
#[derive(Debug)]
pub(super) struct Sending {
    budget: Budget,
    open: bool,
    /// A KeyUpdate that must go before the next data, and whether it asks for one in return.
    key_update: Option<bool>,
}

impl Sending {
    pub(super) fn new(budget: Budget) -> Self {
        Self { budget, open: true, key_update: None }
    }

    /// Nothing more is sent.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    pub(super) fn owe_key_update(&mut self, request: bool) {
        let request = request || self.key_update == Some(true);
        self.key_update = Some(request);
    }
}

impl KernelStream {
    /// Changes the key that protects what is sent, and asks the peer to change its own (RFC 8446, section 4.6.3).
    ///
    /// There is no need to: before a key has protected as many records as is safe, it is changed anyway.
    ///
    /// # Errors
    /// [`KtlsError::CannotChangeKeys`]; the connection goes on as it was then. Otherwise it is broken.
    pub async fn update_keys(&mut self) -> io::Result<()> {
        if !self.changes_keys {
            return Err(KtlsError::CannotChangeKeys.into());
        }
        self.sending.owe_key_update(true);
        poll_fn(|cx| self.poll_key_update(cx)).await
    }

    /// Sends a part of a file without its passing through user space.
    ///
    /// Sends `length` bytes from `offset` on, both in bytes; returns how many it was, fewer only if the
    /// file ends before. What is not in the page cache yet is waited for, and the thread with it.
    ///
    /// # Errors
    /// As of writing.
    pub async fn send_file(&mut self, file: &File, offset: u64, length: u64) -> io::Result<u64> {
        let mut sent = 0;
        while sent < length {
            let most = length - sent;
            let now = poll_fn(|cx| self.poll_send_file(cx, file, offset + sent, most)).await?;
            if now == 0 {
                break;
            }
            sent += now;
        }
        Ok(sent)
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        most: u64,
    ) -> Poll<io::Result<u64>> {
        /// The smallest record that the kernel makes of a file: a page.
        const PAGE: u64 = 4096;
        let too_far = |_| io::Error::from(io::ErrorKind::InvalidInput);
        loop {
            // a page a record, where a write has 16 KiB
            let room = ready!(self.poll_room(cx))? / 4;
            let most = usize::try_from(most).unwrap_or(usize::MAX).min(room.max(1));
            let mut at = i64::try_from(offset).map_err(too_far)?;
            ready!(self.tcp.poll_write_ready(cx))?;
            let sent = self.tcp.try_io(Interest::WRITABLE, || {
                Ok(nix::sys::sendfile::sendfile(&self.tcp, file, Some(&mut at), most)?)
            });
            match sent {
                Ok(sent) => {
                    self.sending.budget.spend_small(sent, PAGE);
                    return Poll::Ready(Ok(sent as u64));
                }
                Err(error) if would_block(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends a KeyUpdate that is owed, if there is room for it.
    pub(super) fn send_key_update(&mut self) -> io::Result<()> {
        let Some(request) = self.sending.key_update else { return Ok(()) };
        if !self.sending.open {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        send(&self.tcp, ContentType::Handshake, &mut control::key_update(request))?;
        self.sending.key_update = None;
        let changed = self.session.update_tx_secret().and_then(|key| key.set(&self.tcp));
        changed.map_err(|error| {
            // the peer would not understand anything now, not even an alert
            self.sending.close();
            KtlsError::KeyUpdate(error)
        })?;
        self.sending.budget.renew();
        Ok(())
    }

    /// Sends a fatal alert if there is room for it, and nothing after it.
    pub(super) fn send_fatal_alert(&mut self, description: AlertDescription) {
        if self.sending.open {
            // the error that is reported is the one that the alert is about
            let _ = send(&self.tcp, ContentType::Alert, &mut [FATAL, description.into()]);
            self.sending.close();
        }
    }

    fn poll_key_update(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sending.key_update.is_some() {
            ready!(self.tcp.poll_write_ready(cx))?;
            match self.send_key_update() {
                Err(error) if would_block(&error) => {}
                result => return Poll::Ready(result),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close_notify(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sending.open {
            ready!(self.tcp.poll_write_ready(cx))?;
            let description = AlertDescription::CloseNotify.into();
            match send(&self.tcp, ContentType::Alert, &mut [WARNING, description]) {
                Err(error) if would_block(&error) => {}
                result => {
                    self.sending.close();
                    return Poll::Ready(result);
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// How many bytes may be written now, at least one; changes the key if there is no other way.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            if !self.sending.open {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            ready!(self.poll_key_update(cx))?;
            match self.sending.budget.room() {
                0 if self.changes_keys && self.sending.budget.renewable() => {
                    self.sending.owe_key_update(false);
                }
                0 => {
                    ready!(self.poll_close_notify(cx))?;
                    return Poll::Ready(Err(KtlsError::KeyExhausted.into()));
                }
                room => return Poll::Ready(Ok(room)),
            }
        }
    }

    fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream, usize) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let room = ready!(self.poll_room(cx))?;
            ready!(self.tcp.poll_write_ready(cx))?;
            match write(&self.tcp, room) {
                Ok(written) => {
                    self.sending.budget.spend(written);
                    return Poll::Ready(Ok(written));
                }
                Err(error) if would_block(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Sends a whole message that is not data, or nothing.
fn send(tcp: &TcpStream, kind: ContentType, payload: &mut [u8]) -> io::Result<()> {
    tcp.try_io(Interest::WRITABLE, || {
        send_tls_control_message(tcp.as_raw_fd(), kind, payload).map(drop)
    })
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl AsyncWrite for KernelStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.get_mut().poll_write_with(cx, |tcp, room| tcp.try_write(&buf[..buf.len().min(room)]))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(first) = bufs.iter().find(|buf| !buf.is_empty()) else {
            return Poll::Ready(Ok(0));
        };
        self.get_mut().poll_write_with(cx, |tcp, room| {
            if bufs.iter().map(|buf| buf.len()).sum::<usize>() <= room {
                tcp.try_write_vectored(bufs)
            } else {
                tcp.try_write(&first[..first.len().min(room)])
            }
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing is kept back.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_close_notify(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}

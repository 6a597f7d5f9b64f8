//! The network as a guest has it: C says whom a socket may speak to, and carries out what
//! `wasi:http/outgoing-handler` is asked for.
//!
//! A request that goes out is moved on after each turn of its guest, inside the poll of the fiber, where
//! alone C is asked. What the library hands to its own threads meanwhile waits for a channel, or is a
//! mark that somebody has lost interest.

use crate::fiber::{Fiber, Retained};
use crate::ffi::contain;
use crate::http::{CHeader, CText, c_headers, header_map};
use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::ffi::{c_int, c_void};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

/// The most that a guest writes of a body at once, and C is handed.
const CHUNK_BYTES: usize = 32 << 10;
const READ_BYTES: usize = 16 << 10;
const TRAILERS_MAX: usize = 128;

/// `struct engine_socket_address`.
#[repr(C)]
struct CSocketAddress {
    bytes: [u8; 16],
    port: u16,
    is_v6: bool,
}

/// `struct engine_fetch_request`.
#[repr(C)]
struct CFetchRequest {
    method: CText,
    url: CText,
    headers: *const CHeader,
    header_count: usize,
    has_body: bool,
    body_bytes: u64,
    connect_ns: u64,
    head_ns: u64,
    idle_ns: u64,
}

/// `struct engine_fetch_head`.
#[repr(C)]
struct CFetchHead {
    status: u32,
    headers: *const CHeader,
    header_count: usize,
}

const OK: c_int = 0;
const WAIT: c_int = 1;
const ENDED: c_int = 2;

/// `struct engine_network`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CNetwork {
    sockets: extern "C" fn(*mut c_void) -> bool,
    allows: extern "C" fn(*mut c_void, c_int, &CSocketAddress) -> bool,
    fetch: extern "C" fn(*mut c_void, &CFetchRequest, &mut c_int) -> *mut c_void,
    head: extern "C" fn(*mut c_void, &mut CFetchHead) -> c_int,
    write: extern "C" fn(*mut c_void, *const u8, usize, &mut usize) -> c_int,
    finish: extern "C" fn(*mut c_void, bool),
    read: extern "C" fn(*mut c_void, *mut u8, usize, &mut usize) -> c_int,
    trailers: extern "C" fn(*mut c_void, &mut CFetchHead),
    error: extern "C" fn(*mut c_void) -> c_int,
    drop: extern "C" fn(*mut c_void),
}

static NETWORK: AtomicPtr<CNetwork> = AtomicPtr::new(std::ptr::null_mut());

#[unsafe(no_mangle)]
pub extern "C" fn engine_set_network(network: &'static CNetwork) {
    NETWORK.store((&raw const *network).cast_mut(), Ordering::Release);
}

fn network() -> Option<&'static CNetwork> {
    // Pairs with the release above.
    unsafe { NETWORK.load(Ordering::Acquire).as_ref() }
}

/// `enum engine_fetch_error`.
fn error_of(code: c_int) -> Error {
    match code {
        1 => Error::HttpRequestUriInvalid,
        2 => Error::HttpRequestDenied,
        3 => Error::ConnectionLimitReached,
        4 => Error::DnsError { rcode: None, info_code: None },
        5 => Error::ConnectionRefused,
        6 => Error::TlsProtocolError,
        7 => Error::ConnectionTimeout,
        8 => Error::ConnectionTerminated,
        9 => Error::HttpProtocolError,
        10 => Error::HttpResponseHeaderSectionSize(None),
        _ => Error::InternalError(None),
    }
}

// ---- Sockets

/// `enum engine_socket_use`.
fn use_of(what: SocketAddrUse) -> c_int {
    match what {
        SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => 0,
        SocketAddrUse::TcpListen => 1,
        SocketAddrUse::TcpAccept => 2,
        SocketAddrUse::TcpConnect => 3,
        SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => 4,
    }
}

fn allows(process: &Retained, address: SocketAddr, what: SocketAddrUse) -> bool {
    let Some(network) = network() else { return false };
    let mut asked = CSocketAddress { bytes: [0; 16], port: address.port(), is_v6: false };
    match address.ip() {
        IpAddr::V4(ip) => asked.bytes[..4].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => {
            asked.bytes = ip.octets();
            asked.is_v6 = true;
        }
    }
    (network.allows)(process.get(), use_of(what), &asked)
}

/// Let a guest have sockets, if C does.
pub fn grant_sockets(builder: &mut WasiCtxBuilder, process: *mut c_void) {
    let Some(network) = network() else { return };
    if !(network.sockets)(process) {
        return;
    }
    // What a socket waits for may be asked after its guest has ended.
    let process = Arc::new(Retained::new(process));
    // No look-ups of names: one that its guest has dropped still runs, on the threads of all guests' files.
    builder.allow_tcp(true).allow_udp(true);
    builder.socket_addr_check(move |address, what| {
        let answer = allows(&process, address, what);
        Box::pin(async move { answer })
    });
}

// ---- Requests

/// A request of C's. None: it was given back.
struct Transfer(Option<*mut c_void>);

// Used inside polls only, but for the mark in Shared.
unsafe impl Send for Transfer {}

/// What the guest's side of an answer and the fiber have in common.
struct Shared {
    transfer: Mutex<Transfer>,
}

impl Shared {
    fn get(&self) -> Option<*mut c_void> {
        self.transfer.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn take(&self) -> Option<*mut c_void> {
        self.transfer.lock().unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

/// The body of an answer, which its guest polls.
struct AnswerBody {
    shared: Arc<Shared>,
    buffer: BytesMut,
    done: bool,
}

impl AnswerBody {
    fn end(network: &CNetwork, transfer: *mut c_void) -> Option<Result<Frame<Bytes>, Error>> {
        let mut head = CFetchHead { status: 0, headers: std::ptr::null(), header_count: 0 };
        (network.trailers)(transfer, &mut head);
        let count = head.header_count.min(TRAILERS_MAX);
        if count == 0 {
            return None;
        }
        let map = unsafe { header_map(crate::ffi::slice_of(head.headers, count)) }?;
        Some(Ok(Frame::trailers(map)))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(None);
        }
        let (Some(network), Some(transfer)) = (network(), this.shared.get()) else {
            this.done = true;
            return Poll::Ready(Some(Err(Error::ConnectionTerminated)));
        };
        this.buffer.resize(READ_BYTES, 0);
        let mut size = 0;
        match (network.read)(transfer, this.buffer.as_mut_ptr(), READ_BYTES, &mut size) {
            OK => {
                this.buffer.truncate(size.min(READ_BYTES));
                Poll::Ready(Some(Ok(Frame::data(this.buffer.split().freeze()))))
            }
            WAIT => Poll::Pending,
            ENDED => {
                this.done = true;
                Poll::Ready(AnswerBody::end(network, transfer))
            }
            _ => {
                this.done = true;
                Poll::Ready(Some(Err(error_of((network.error)(transfer)))))
            }
        }
    }
}

/// One request under way.
struct Fetching {
    shared: Arc<Shared>,
    /// Until there is a head, or none.
    answer: Option<oneshot::Sender<Result<Response<WasiBody>>>>,
    body: Option<WasiBody>,
    /// Of the body, not taken by C.
    pending: Bytes,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        if let (Some(network), Some(transfer)) = (network(), self.shared.take()) {
            (network.drop)(transfer);
        }
    }
}

impl Fetching {
    /// Whether it is still of use.
    fn advance(&mut self, network: &CNetwork, context: &mut Context<'_>) -> bool {
        let Some(transfer) = self.shared.get() else { return false };
        self.send(network, transfer, context);
        if let Some(answer) = &mut self.answer {
            if answer.poll_closed(context).is_ready() {
                return false;
            }
            return self.look(network, transfer);
        }
        // The guest has let go of the answer, or has read all of it.
        Arc::strong_count(&self.shared) > 1
    }

    fn look(&mut self, network: &CNetwork, transfer: *mut c_void) -> bool {
        let mut head = CFetchHead { status: 0, headers: std::ptr::null(), header_count: 0 };
        let given = match (network.head)(transfer, &mut head) {
            WAIT => return true,
            OK => self.response(&head),
            _ => Err(error_of((network.error)(transfer))),
        };
        let good = given.is_ok();
        if let Some(answer) = self.answer.take() {
            let _ = answer.send(given);
        }
        good
    }

    fn response(&self, head: &CFetchHead) -> Result<Response<WasiBody>> {
        let headers = unsafe { crate::ffi::slice_of(head.headers, head.header_count) };
        let map = unsafe { header_map(headers) }.ok_or(Error::HttpProtocolError)?;
        let body = AnswerBody { shared: self.shared.clone(), buffer: BytesMut::new(), done: false };
        let mut response = Response::new(body.boxed_unsync());
        *response.status_mut() = http::StatusCode::from_u16(head.status as u16)
            .map_err(|_| Error::HttpProtocolError)?;
        *response.headers_mut() = map;
        Ok(response)
    }

    fn send(&mut self, network: &CNetwork, transfer: *mut c_void, context: &mut Context<'_>) {
        while let Some(body) = &mut self.body {
            if !self.pending.is_empty() {
                let mut taken = 0;
                let size = self.pending.len();
                match (network.write)(transfer, self.pending.as_ptr(), size, &mut taken) {
                    OK => self.pending.advance(taken.min(size)),
                    WAIT => return,
                    _ => {
                        // The guest's next write finds it closed.
                        self.pending = Bytes::new();
                        self.body = None;
                    }
                }
                continue;
            }
            match Pin::new(body).poll_frame(context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                    self.pending = frame.into_data().unwrap_or_default();
                }
                Poll::Ready(Some(Ok(_)) | None) => {
                    self.body = None;
                    (network.finish)(transfer, true);
                }
                Poll::Ready(Some(Err(_))) => {
                    self.body = None;
                    (network.finish)(transfer, false);
                }
            }
        }
    }
}

/// Of one fiber.
pub struct Fetches(Vec<Fetching>);

impl Fetches {
    /// After a turn of the guest.
    pub fn advance(&mut self, context: &mut Context<'_>) {
        if let Some(network) = network() {
            contain((), || self.0.retain_mut(|one| one.advance(network, context)));
        }
    }
}

pub struct Hooks {
    fiber: *const Fiber,
    process: *mut c_void,
}

// As the rest of a store's data.
unsafe impl Send for Hooks {}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

fn nanoseconds(time: Option<Duration>) -> u64 {
    time.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1))
}

impl Hooks {
    pub fn new(fiber: *const Fiber, process: *mut c_void) -> Hooks {
        Hooks { fiber, process }
    }

    fn start(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<oneshot::Receiver<Result<Response<WasiBody>>>> {
        let network = network().ok_or(Error::HttpRequestDenied)?;
        let (mut parts, body) = request.into_parts();
        parts.headers.remove(http::header::HOST); // It is the URL's.
        let length = parts.headers.remove(http::header::CONTENT_LENGTH);
        let length = length.and_then(|text| text.to_str().ok()?.parse::<u64>().ok());
        let exact = body.size_hint().exact();
        let url = parts.uri.to_string();
        let headers = c_headers(&parts.headers);
        let options = options.unwrap_or_default();
        let asked = CFetchRequest {
            method: CText::of(parts.method.as_str().as_bytes()),
            url: CText::of(url.as_bytes()),
            headers: headers.as_ptr(),
            header_count: headers.len(),
            has_body: exact != Some(0),
            body_bytes: length.or(exact).unwrap_or(u64::MAX),
            connect_ns: nanoseconds(options.connect_timeout),
            head_ns: nanoseconds(options.first_byte_timeout),
            idle_ns: nanoseconds(options.between_bytes_timeout),
        };
        let mut error = 0;
        let transfer = (network.fetch)(self.process, &asked, &mut error);
        if transfer.is_null() {
            return Err(error_of(error));
        }
        let (sender, receiver) = oneshot::channel();
        let shared = Arc::new(Shared { transfer: Mutex::new(Transfer(Some(transfer))) });
        let body = (exact != Some(0)).then_some(body);
        let fetching = Fetching { shared, answer: Some(sender), body, pending: Bytes::new() };
        let fiber = unsafe { &*self.fiber };
        fiber.fetches.borrow_mut().get_or_insert_with(|| Fetches(Vec::new())).0.push(fetching);
        Ok(receiver)
    }
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Io,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Io)>> + Send> {
        // The library puts what is returned on a thread of the runtime.
        unsafe { &*self.fiber }.needs_runtime();
        let started = self.start(request, options);
        Box::new(async move {
            let response = started?.await.map_err(|_| Error::ConnectionTerminated)??;
            Ok((response, Box::new(async { Ok(()) }) as Io))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }
}

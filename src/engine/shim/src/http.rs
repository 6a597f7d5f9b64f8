//! A guest that answers one HTTP request by `wasi:http/incoming-handler`.
//!
//! The guest runs as in any fiber. After each of its turns, what it made of its answer is handed to C:
//! the head with as much of the body as there is, then one piece after the other while C takes them. So
//! C is asked only inside a poll, and a client that does not read holds the guest at its next write.

use crate::ffi::slice_of;
use crate::fiber::{Fiber, Held, Run, store};
use crate::image::{ComponentCode, Image};
use crate::store::{Data, HostTrap};
use crate::wasi::Preview2;
use bytes::{Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body::{Body, Frame};
use std::collections::VecDeque;
use std::ffi::{c_int, c_void};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use wasmtime::component::Resource;
use wasmtime::{Error, Result, Store};
use wasmtime_wasi_http::Error as HttpError;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

/// A body is read in pieces of at most so much.
const READ_BYTES: usize = 16 << 10;
/// What is handed to C at once as trailers.
const TRAILERS_MAX: usize = 128;
/// For a client so old that it did not say whom it asks.
const NO_AUTHORITY: &str = "localhost";

/// `struct engine_text`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CText {
    data: *const u8,
    size: usize,
}

impl CText {
    pub const EMPTY: CText = CText { data: std::ptr::null(), size: 0 };

    pub fn of(bytes: &[u8]) -> CText {
        CText { data: bytes.as_ptr(), size: bytes.len() }
    }

    /// # Safety
    /// C filled it, and keeps the text for 'a.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        unsafe { slice_of(self.data, self.size) }
    }
}

/// `struct engine_header`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CHeader {
    name: CText,
    value: CText,
}

impl CHeader {
    const EMPTY: CHeader = CHeader { name: CText::EMPTY, value: CText::EMPTY };
}

/// `struct engine_http_request`.
#[repr(C)]
struct CRequest {
    method: CText,
    target: CText,
    authority: CText,
    headers: *const CHeader,
    header_count: usize,
    secure: bool,
    has_body: bool,
}

/// `struct engine_http_answer`.
#[repr(C)]
struct CAnswer {
    status: u32,
    headers: *const CHeader,
    header_count: usize,
    data: *const u8,
    size: usize,
    complete: bool,
}

/// `enum engine_http_result`.
const OK: c_int = 0;
const WAIT: c_int = 1;
const ENDED: c_int = 2;
const CLOSED: c_int = 3;
const TOO_LARGE: c_int = 4;
const MALFORMED: c_int = 5;

/// `struct engine_http`.
#[repr(C)]
pub struct CHttp {
    request: extern "C" fn(*mut c_void, &mut CRequest),
    read: extern "C" fn(*mut c_void, *mut u8, usize, &mut usize) -> c_int,
    trailers: extern "C" fn(*mut c_void, *mut CHeader, usize) -> usize,
    answer: extern "C" fn(*mut c_void, &CAnswer, &mut usize) -> c_int,
    write: extern "C" fn(*mut c_void, *const u8, usize, &mut usize) -> c_int,
    end: extern "C" fn(*mut c_void, *const CHeader, usize),
    fail: extern "C" fn(*mut c_void, CText),
}

/// The functions, and for whom they are called.
#[derive(Clone, Copy)]
struct Door {
    http: *const CHttp,
    process: *mut c_void,
}

// Called inside polls only, which are by one thread at a time (engine.h).
unsafe impl Send for Door {}
unsafe impl Sync for Door {}

impl Door {
    fn functions(&self) -> &CHttp {
        unsafe { &*self.http }
    }
}

fn trap(text: impl Into<String>) -> Error {
    Error::new(HostTrap(text.into()))
}

pub fn c_headers(map: &HeaderMap) -> Vec<CHeader> {
    map.iter()
        .map(|(name, value)| CHeader {
            name: CText::of(name.as_str().as_bytes()),
            value: CText::of(value.as_bytes()),
        })
        .collect()
}

/// # Safety
/// C filled them, and keeps what they name.
pub unsafe fn header_map(headers: &[CHeader]) -> Option<HeaderMap> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for header in headers {
        let name = HeaderName::from_bytes(unsafe { header.name.bytes() }).ok()?;
        let value = HeaderValue::from_bytes(unsafe { header.value.bytes() }).ok()?;
        map.append(name, value);
    }
    Some(map)
}

/// What a browser would have escaped, and an old program has not, is escaped now.
fn path_and_query(target: &[u8]) -> Option<PathAndQuery> {
    if let Ok(path) = PathAndQuery::try_from(target) {
        return Some(path);
    }
    let mut text = String::new();
    for byte in target {
        match byte {
            b'"' | b'<' | b'>' | b'`' | b'{' | b'}' | b'|' | b'^' | b'\\' | b'#' => {
                text.push_str(&format!("%{byte:02X}"));
            }
            byte => text.push(char::from(*byte)),
        }
    }
    PathAndQuery::try_from(text).ok()
}

/// The body of the request. Only its guest polls it, so that nobody has to be remembered: what wakes
/// the process has all of it looked at again.
struct RequestBody {
    door: Door,
    buffer: BytesMut,
    done: bool,
}

impl RequestBody {
    fn end(&mut self) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        self.done = true;
        let mut headers = [CHeader::EMPTY; TRAILERS_MAX];
        let functions = self.door.functions();
        let count = (functions.trailers)(self.door.process, headers.as_mut_ptr(), headers.len());
        match unsafe { header_map(&headers[..count.min(TRAILERS_MAX)]) } {
            _ if count == 0 => Poll::Ready(None),
            Some(map) => Poll::Ready(Some(Ok(Frame::trailers(map)))),
            None => Poll::Ready(Some(Err(HttpError::HttpProtocolError))),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(None);
        }
        this.buffer.resize(READ_BYTES, 0);
        let (door, mut size) = (this.door, 0);
        let read = door.functions().read;
        let error = match read(door.process, this.buffer.as_mut_ptr(), READ_BYTES, &mut size) {
            OK => {
                this.buffer.truncate(size.min(READ_BYTES));
                return Poll::Ready(Some(Ok(Frame::data(this.buffer.split().freeze()))));
            }
            WAIT => return Poll::Pending,
            ENDED => return this.end(),
            CLOSED => HttpError::ConnectionTerminated,
            TOO_LARGE => HttpError::HttpRequestBodySize(None),
            MALFORMED => HttpError::HttpProtocolError,
            _ => HttpError::InternalError(None),
        };
        this.done = true;
        Poll::Ready(Some(Err(error)))
    }
}

type Given = Result<Response<HyperOutgoingBody>, ErrorCode>;
type Slot = Arc<Mutex<Option<Given>>>;

fn incoming(data: &mut Data, door: Door) -> Result<Resource<HostIncomingRequest>> {
    let mut from = CRequest {
        method: CText::EMPTY,
        target: CText::EMPTY,
        authority: CText::EMPTY,
        headers: std::ptr::null(),
        header_count: 0,
        secure: false,
        has_body: false,
    };
    (door.functions().request)(door.process, &mut from);
    let (method, target, authority, headers) = unsafe {
        let headers = slice_of(from.headers, from.header_count);
        (from.method.bytes(), from.target.bytes(), from.authority.bytes(), headers)
    };
    let Some(mut map) = (unsafe { header_map(headers) }) else {
        return Err(trap("a header of the request cannot be given to the guest"));
    };
    let authority = if authority.is_empty() { NO_AUTHORITY.as_bytes() } else { authority };
    map.insert(http::header::HOST, HeaderValue::from_bytes(authority)?);
    let Some(path) = path_and_query(target) else {
        return Err(trap("the request's target cannot be given to the guest"));
    };
    let body = RequestBody { door, buffer: BytesMut::new(), done: !from.has_body };
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(method)?;
    *request.uri_mut() = Uri::from(path);
    *request.headers_mut() = map;
    let scheme = if from.secure { Scheme::Https } else { Scheme::Http };
    data.http().new_incoming_request(scheme, request)
}

fn outparam(data: &mut Data, slot: Slot) -> Result<Resource<HostResponseOutparam>> {
    data.http().new_response_outparam_from_callback(move |given| {
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(given);
    })
}

/// The guest's part; what it leaves behind is the caller's to drop.
async fn handle(run: Run, code: &ComponentCode, slot: Slot) -> (Held, Result<()>) {
    let image: &Image = unsafe { &*run.image };
    let door = Door { http: run.http, process: run.process };
    let mut held = store(&run, image);
    let result = handle_in(&mut held.0, image, code, door, slot).await;
    (held, result)
}

async fn handle_in(
    store: &mut Store<Data>,
    image: &Image,
    code: &ComponentCode,
    door: Door,
    slot: Slot,
) -> Result<()> {
    let Some(proxy) = &code.proxy else { unreachable!("a component that answers requests") };
    if image.wasi {
        crate::wasi::open_preopens(store.data_mut(), true)?;
    }
    let request = incoming(store.data_mut(), door)?;
    let outparam = outparam(store.data_mut(), slot)?;
    // Boxed as in fiber.rs.
    let guest = Box::pin(proxy.instantiate_async(&mut *store)).await?;
    guest.wasi_http_incoming_handler().call_handle(&mut *store, request, outparam).await
}

enum Answer {
    /// The guest has not said anything.
    Awaited,
    /// It has; C has heard nothing of it.
    Head(http::response::Parts),
    /// C has the head.
    Body,
    /// All of it was handed over, or nobody wants it.
    Over,
}

/// How many turns that end by the clock a guest may begin its answer in before the head goes out without its
/// end. A guest in the middle of writing a short answer is let finish it, so that whether the answer has a
/// length does not hang on where the clock cut; one that goes on computing keeps its client waiting for this long.
const HEAD_TURNS: u32 = 8;

struct Serving<'a> {
    door: Door,
    fiber: *const Fiber,
    slot: Slot,
    /// Turns that ended by the clock while the head was not given.
    turns: u32,
    /// None: it has ended.
    guest: Option<Pin<Box<dyn Future<Output = (Held, Result<()>)> + 'a>>>,
    answer: Answer,
    body: Option<HyperOutgoingBody>,
    /// Of the body, not taken by C.
    pending: VecDeque<Bytes>,
    /// What follows that, if it is known.
    last: Option<Result<Frame<Bytes>, HttpError>>,
}

impl Serving<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let preempted = &unsafe { &*self.fiber }.preempted;
        preempted.set(false);
        if let Some(guest) = &mut self.guest
            && let Poll::Ready((held, result)) = guest.as_mut().poll(context)
        {
            // What it has written is its client's, before that is told that no more comes. A body that it has
            // not finished looks as if it had once the store is gone.
            let settled = self.advance(context);
            self.settle(context);
            let result = result.and(settled);
            drop(held);
            self.guest = None;
            if result.is_err() {
                return Poll::Ready(result);
            }
        }
        if preempted.get() && matches!(self.answer, Answer::Awaited) && self.turns < HEAD_TURNS {
            self.turns += u32::from(self.slot.lock().unwrap_or_else(PoisonError::into_inner).is_some());
            return Poll::Pending;
        }
        match self.advance(context) {
            Err(error) => Poll::Ready(Err(error)),
            Ok(()) => {
                let silent = matches!(self.answer, Answer::Awaited | Answer::Over);
                if self.guest.is_none() && silent { Poll::Ready(Ok(())) } else { Poll::Pending }
            }
        }
    }

    /// The guest has ended: a body that is not finished now never is.
    fn settle(&mut self, context: &mut Context<'_>) {
        while self.body.is_some() && self.last.is_none() {
            match self.poll_body(context) {
                Poll::Ready(Some(Ok(frame))) if frame.is_data() => self.pending.extend(frame.into_data().ok()),
                Poll::Ready(Some(other)) => self.last = Some(other),
                Poll::Ready(None) => self.body = None,
                Poll::Pending => self.last = Some(Err(HttpError::HttpProtocolError)),
            }
        }
    }

    /// Hand over what there is, as far as C takes it.
    fn advance(&mut self, context: &mut Context<'_>) -> Result<()> {
        loop {
            match std::mem::replace(&mut self.answer, Answer::Over) {
                Answer::Awaited => {
                    let given = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                    match given {
                        None => {
                            self.answer = Answer::Awaited;
                            return Ok(());
                        }
                        Some(Ok(response)) => {
                            let (parts, body) = response.into_parts();
                            self.body = Some(body);
                            self.answer = Answer::Head(parts);
                        }
                        Some(Err(code)) => {
                            let text = format!("answered with the error {code:?}");
                            (self.door.functions().fail)(self.door.process, CText::of(text.as_bytes()));
                            return Ok(());
                        }
                    }
                }
                Answer::Head(parts) => self.begin(parts, context)?,
                Answer::Body => {
                    if !self.move_on(context) {
                        return Ok(());
                    }
                }
                Answer::Over => return Ok(()),
            }
        }
    }

    fn close(&mut self) {
        // The guest's next write finds it closed.
        self.body = None;
        self.last = None;
        self.pending.clear();
        self.answer = Answer::Over;
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Some(last) = self.last.take() {
            return Poll::Ready(Some(last));
        }
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    /// Give the head, with whatever of the body is there already: most answers are complete by now.
    fn begin(&mut self, parts: http::response::Parts, context: &mut Context<'_>) -> Result<()> {
        let complete = loop {
            match self.poll_body(context) {
                Poll::Pending => break false,
                Poll::Ready(None) => break true,
                Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                    self.pending.extend(frame.into_data().ok());
                }
                Poll::Ready(Some(other)) => {
                    self.last = Some(other);
                    break false;
                }
            }
        };
        if self.pending.len() > 1 && complete {
            let whole = self.pending.iter().flatten().copied().collect::<Vec<u8>>();
            self.pending = VecDeque::from([Bytes::from(whole)]);
        }
        let first = self.pending.front().cloned().unwrap_or_default();
        let headers = c_headers(&parts.headers);
        let answer = CAnswer {
            status: u32::from(parts.status.as_u16()),
            headers: headers.as_ptr(),
            header_count: headers.len(),
            data: first.as_ptr(),
            size: first.len(),
            complete,
        };
        let mut taken = 0;
        match (self.door.functions().answer)(self.door.process, &answer, &mut taken) {
            OK => {}
            ENDED | CLOSED => {
                self.close();
                return Ok(());
            }
            _ => return Err(trap(format!("the answer cannot be sent: {}", reason(&parts)))),
        }
        self.consume(taken);
        self.answer = Answer::Body;
        Ok(())
    }

    fn consume(&mut self, taken: usize) {
        if let Some(front) = self.pending.front_mut() {
            let taken = taken.min(front.len());
            bytes::Buf::advance(front, taken);
            if front.is_empty() {
                self.pending.pop_front();
            }
        }
    }

    fn write_front(&mut self) -> c_int {
        let Some(front) = self.pending.front() else { return OK };
        let mut taken = 0;
        let write = self.door.functions().write;
        let result = write(self.door.process, front.as_ptr(), front.len(), &mut taken);
        self.consume(taken);
        result
    }

    /// Whether there may be more to do at once.
    fn move_on(&mut self, context: &mut Context<'_>) -> bool {
        self.answer = Answer::Body;
        while !self.pending.is_empty() {
            match self.write_front() {
                OK => {}
                WAIT => return false,
                _ => {
                    self.close();
                    return true;
                }
            }
        }
        match self.poll_body(context) {
            Poll::Pending => {
                // Nothing to write: but is there still somebody to write to?
                let mut taken = 0;
                let write = self.door.functions().write;
                if write(self.door.process, std::ptr::null(), 0, &mut taken) == CLOSED {
                    self.close();
                }
                false
            }
            Poll::Ready(None) => {
                (self.door.functions().end)(self.door.process, std::ptr::null(), 0);
                self.close();
                true
            }
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                self.pending.extend(frame.into_data().ok().filter(|data| !data.is_empty()));
                true
            }
            Poll::Ready(Some(other)) => {
                self.finish(other);
                true
            }
        }
    }

    /// The last frame, which is no data.
    fn finish(&mut self, last: Result<Frame<Bytes>, HttpError>) {
        let (door, functions) = (self.door, self.door.functions());
        match last.map(Frame::into_trailers) {
            Ok(Ok(map)) => {
                let headers = c_headers(&map);
                (functions.end)(door.process, headers.as_ptr(), headers.len());
            }
            Ok(Err(_)) => (functions.end)(door.process, std::ptr::null(), 0),
            Err(error) => {
                let text = format!("its answer's body was given up: {error}");
                (functions.fail)(door.process, CText::of(text.as_bytes()));
            }
        }
        self.close();
    }
}

fn reason(parts: &http::response::Parts) -> String {
    format!("status {} with {} headers", parts.status.as_u16(), parts.headers.len())
}

pub async fn run(run: Run, code: &ComponentCode) -> Result<()> {
    let slot: Slot = Arc::new(Mutex::new(None));
    let door = Door { http: run.http, process: run.process };
    let mut serving = Serving {
        door,
        fiber: run.fiber,
        turns: 0,
        slot: slot.clone(),
        guest: Some(Box::pin(handle(run, code, slot))),
        answer: Answer::Awaited,
        body: None,
        pending: VecDeque::new(),
        last: None,
    };
    poll_fn(move |context| serving.poll(context)).await
}

impl WasiHttpView for Data {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let world = Preview2::quietly(self);
        WasiHttpCtxView { hooks: &mut world.hooks, table: &mut world.table, ctx: &mut world.http }
    }
}

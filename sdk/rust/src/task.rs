//! Several things at once in one process: tasks, of which some go on while others wait.
//!
//! Whatever runtime-independent crates offer for futures works here. Where no task can go on, the process waits for all that
//! they wait for together. What is not `async` holds up all of them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{poll_fn, Future};
use std::pin::{pin, Pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::abi;
use crate::error::{done, Error, ErrorKind, Result};
use crate::mail::{self, bit, nanoseconds, Piece};

const MAIN: usize = usize::MAX;
/// Entries of one wait: these, and the mailbox.
const WAITS_MAX: usize = 64;
/// So many steps of tasks, and the world is looked at.
const STEPS_MAX: usize = 256;
/// How long a wait for a part of what is wanted may take.
const PART_NS: i64 = 10_000_000;

/// What a task does next.
enum Job {
    /// Nothing: there is room for a task.
    None,
    /// It runs right now.
    Running,
    Waiting(Pin<Box<dyn Future<Output = ()>>>),
}

/// Where something arrives for a task.
#[derive(Default)]
struct Seat {
    result: Option<Result<Option<Piece>>>,
    waker: Option<Waker>,
}

type Place = Rc<RefCell<Seat>>;

fn fill(place: &Place, result: Result<Option<Piece>>) {
    let mut seat = place.borrow_mut();
    seat.result = Some(result);
    if let Some(waker) = seat.waker.take() {
        waker.wake();
    }
}

/// Who waits for what.
enum Wish {
    Handle(u32, i32),
    Time(i64),
    Mail(u32),
    Answer(u64),
}

#[derive(Default)]
struct Reactor {
    wishes: Vec<(Wish, Place)>,
    /// Mail whose taker was gone when it came.
    returned: VecDeque<Piece>,
    jobs: Vec<Job>,
    is_running: bool,
}

thread_local! {
    static REACTOR: RefCell<Reactor> = RefCell::default();
    static READY: RefCell<VecDeque<usize>> = const { RefCell::new(VecDeque::new()) };
}

fn reactor<T>(function: impl FnOnce(&mut Reactor) -> T) -> T {
    REACTOR.with(|reactor| function(&mut reactor.borrow_mut()))
}

struct Bell(usize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        READY.with(|ready| {
            let mut ready = ready.borrow_mut();
            if !ready.contains(&self.0) {
                ready.push_back(self.0);
            }
        });
    }
}

impl Reactor {
    fn kinds(&self) -> u32 {
        self.wishes.iter().fold(0, |kinds, (wish, _)| match wish {
            Wish::Mail(wanted) => kinds | wanted,
            Wish::Answer(_) => kinds | bit(abi::MAIL_REPLY) | bit(abi::MAIL_DOWN),
            _ => kinds,
        })
    }

    /// Gives a result to all whose wish is such.
    fn settle(&mut self, result: &Result<()>, is_such: impl Fn(&Wish) -> bool) {
        self.wishes.retain(|(wish, place)| {
            let such = is_such(wish);
            if such {
                fill(place, result.clone().map(|()| None));
            }
            !such
        });
    }

    fn give(&mut self, piece: Piece) {
        let (kind, reference) = (piece.head.kind, piece.head.reference);
        let is_for = |wish: &Wish| match (kind, wish) {
            (abi::MAIL_REPLY | abi::MAIL_DOWN, Wish::Answer(one)) => *one == reference,
            (abi::MAIL_REPLY | abi::MAIL_DOWN, _) => false,
            (_, Wish::Mail(kinds)) => kinds & bit(kind) != 0,
            _ => false,
        };
        match self.wishes.iter().position(|(wish, _)| is_for(wish)) {
            Some(at) => fill(&self.wishes.remove(at).1, Ok(Some(piece))),
            None if kind == abi::MAIL_REPLY || kind == abi::MAIL_DOWN => {}
            None => self.returned.push_back(piece),
        }
    }

    /// Takes out of the mailbox what somebody waits for. The rest stays where it is counted and bounded.
    fn drain(&mut self) {
        loop {
            let kinds = self.kinds();
            if let Some(at) = self.returned.iter().position(|piece| kinds & bit(piece.head.kind) != 0) {
                let piece = self.returned.remove(at);
                piece.into_iter().for_each(|piece| self.give(piece));
                continue;
            }
            if kinds == 0 {
                return;
            }
            match mail::take(kinds, 0, 0) {
                Ok(piece) => self.give(piece),
                Err(error) if error.kind() == ErrorKind::Timeout => return,
                Err(error) => self.settle(&Err(error), |wish| matches!(wish, Wish::Mail(_) | Wish::Answer(_))),
            }
        }
    }

    /// How long to wait; `None`: not at all, somebody's time is over.
    fn patience(&mut self, may_wait: bool) -> Option<i64> {
        let times = |(wish, _): &(Wish, Place)| if let Wish::Time(time) = wish { Some(*time) } else { None };
        let Some(first) = self.wishes.iter().filter_map(times).min() else {
            return Some(if may_wait { mail::FOR_EVER } else { 0 });
        };
        // SAFETY: nothing is passed.
        let now = unsafe { abi::clock() };
        if first <= now {
            self.settle(&Ok(()), |wish| matches!(wish, Wish::Time(time) if *time <= now));
            return None;
        }
        Some(if may_wait { first - now } else { 0 })
    }

    /// Waits for what is wished for, and tells those for whom it is there.
    fn turn(&mut self, may_wait: bool) {
        let Some(mut timeout) = self.patience(may_wait) else {
            return;
        };
        let mut set = Vec::new();
        for (wish, _) in &self.wishes {
            if let Wish::Handle(kind, handle) = *wish {
                if set.len() == WAITS_MAX {
                    timeout = if timeout < 0 { PART_NS } else { timeout.min(PART_NS) };
                    break;
                }
                set.push(abi::Wait { kind, handle, ..abi::Wait::ZERO });
            }
        }
        if self.kinds() != 0 {
            set.push(abi::Wait { kind: abi::WAIT_MAIL, ..abi::Wait::ZERO });
        }
        // SAFETY: the set lives until it returns.
        let result = match (set.is_empty(), timeout) {
            (true, mail::FOR_EVER) => panic!("every task waits for what cannot come"),
            (true, _) => done(unsafe { abi::sleep(timeout) }),
            (false, _) => done(unsafe { abi::wait(set.as_mut_ptr(), set.len(), timeout) }),
        };
        match result {
            Ok(_) => set.iter().filter(|one| one.ready != 0).for_each(|one| self.arrived(one)),
            Err(error) if error.kind() == ErrorKind::Timeout => {}
            Err(error) => {
                let is_over = error.kind() == ErrorKind::Closed;
                self.settle(&Err(error), |wish| is_over || matches!(wish, Wish::Handle(..)));
            }
        }
        // Those that were left out have their turn.
        if set.len() >= WAITS_MAX {
            let some = WAITS_MAX.min(self.wishes.len());
            self.wishes.rotate_left(some);
        }
    }

    fn arrived(&mut self, one: &abi::Wait) {
        match one.kind {
            abi::WAIT_MAIL => self.drain(),
            _ => self.settle(&Ok(()), |wish| {
                matches!(wish, Wish::Handle(kind, handle) if *kind == one.kind && *handle == one.handle)
            }),
        }
    }
}

/// Waits for one wish.
struct Waiting {
    place: Place,
}

impl Waiting {
    fn begin(wish: Wish) -> Waiting {
        let place = Place::default();
        let is_mail = matches!(wish, Wish::Mail(_) | Wish::Answer(_));
        reactor(|all| {
            all.wishes.push((wish, place.clone()));
            if is_mail {
                all.drain();
            }
        });
        Waiting { place }
    }
}

impl Future for Waiting {
    type Output = Result<Option<Piece>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut seat = self.place.borrow_mut();
        match seat.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                seat.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        reactor(|all| {
            all.wishes.retain(|(_, place)| !Rc::ptr_eq(place, &self.place));
            if let Some(Ok(Some(piece))) = self.place.borrow_mut().result.take() {
                all.give(piece);
            }
        });
    }
}

/// Waits until a handle is ready. It may be so early: who called it looks again.
pub(crate) async fn ready(kind: u32, handle: i32) -> Result {
    Waiting::begin(Wish::Handle(kind, handle)).await.map(drop)
}

fn gone() -> Error {
    ErrorKind::Closed.into()
}

/// Waits for mail of some kinds.
pub(crate) async fn mail(kinds: u32) -> Result<Piece> {
    Waiting::begin(Wish::Mail(kinds)).await?.ok_or_else(gone)
}

/// Waits for the reply or the `down` of a reference.
pub(crate) async fn answer(reference: u64) -> Result<Piece> {
    Waiting::begin(Wish::Answer(reference)).await?.ok_or_else(gone)
}

/// Waits; other tasks go on. [`Closed`](ErrorKind::Closed): of a stream of events, whose client has left.
pub async fn sleep(time: Duration) -> Result {
    // SAFETY: nothing is passed.
    let until = unsafe { abi::clock() }.saturating_add(nanoseconds(time));
    Waiting::begin(Wish::Time(until)).await.map(drop)
}

/// What a future gives, within that time; else [`Timeout`](ErrorKind::Timeout), and it is dropped.
pub async fn timeout<T>(time: Duration, future: impl Future<Output = T>) -> Result<T> {
    let (mut future, mut timer) = (pin!(future), pin!(sleep(time)));
    poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(value));
        }
        timer.as_mut().poll(context).map(|result| Err(result.err().unwrap_or(ErrorKind::Timeout.into())))
    })
    .await
}

/// A task, to wait for what its future gives. Dropped, it goes on alone.
pub struct Task<T> {
    end: Rc<RefCell<(Option<T>, Option<Waker>)>>,
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut end = self.end.borrow_mut();
        match end.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                end.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Starts a task beside this one. It ends with the process, which does not wait for it.
pub fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
    let end = Rc::new(RefCell::new((None, None::<Waker>)));
    let told = end.clone();
    let job = Job::Waiting(Box::pin(async move {
        let value = future.await;
        let mut end = told.borrow_mut();
        end.0 = Some(value);
        if let Some(waker) = end.1.take() {
            waker.wake();
        }
    }));
    let id = reactor(|all| {
        let room = all.jobs.iter().position(|one| matches!(one, Job::None));
        let id = room.unwrap_or(all.jobs.len());
        match room {
            Some(at) => all.jobs[at] = job,
            None => all.jobs.push(job),
        }
        id
    });
    Arc::new(Bell(id)).wake();
    Task { end }
}

fn step(id: usize) {
    // A bell may have rung for a task that has ended.
    let Some(mut job) = reactor(|all| match std::mem::replace(&mut all.jobs[id], Job::None) {
        Job::Waiting(job) => {
            all.jobs[id] = Job::Running;
            Some(job)
        }
        _ => None,
    }) else {
        return;
    };
    let waker = Waker::from(Arc::new(Bell(id)));
    let next = match job.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(()) => Job::None,
        Poll::Pending => Job::Waiting(job),
    };
    reactor(|all| all.jobs[id] = next);
}

/// Runs a future, and all tasks beside it, until it is done. An exported `async fn` is run by it.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    if reactor(|all| std::mem::replace(&mut all.is_running, true)) {
        panic!("block_on in a task");
    }
    let mut main = pin!(future);
    let bell = Arc::new(Bell(MAIN));
    let waker = Waker::from(bell.clone());
    bell.wake();
    loop {
        for _ in 0..STEPS_MAX {
            match READY.with(|ready| ready.borrow_mut().pop_front()) {
                Some(MAIN) => {
                    if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                        reactor(|all| all.is_running = false);
                        return value;
                    }
                }
                Some(id) => step(id),
                None => break,
            }
        }
        let may_wait = READY.with(|ready| ready.borrow().is_empty());
        reactor(|all| all.turn(may_wait));
    }
}

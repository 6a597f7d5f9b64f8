use std::time::Duration;

use crate::error::{done, reference, Error, Result};
use crate::mail::{bit, nanoseconds, take, Pid, FOR_EVER};
use crate::{abi, memory, task};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitClass {
    Normal,
    Shutdown,
    /// By `end` with a reason of its own.
    Exited,
    Crashed,
    CrashedMemory,
    CrashedCpu,
    CrashedTimeout,
    Killed,
    /// There was no such process.
    NoProcess,
    NoConnection,
}

impl ExitClass {
    pub(crate) fn of(number: u32) -> ExitClass {
        match number {
            abi::EXIT_NORMAL => ExitClass::Normal,
            abi::EXIT_SHUTDOWN => ExitClass::Shutdown,
            abi::EXIT_EXITED => ExitClass::Exited,
            abi::EXIT_CRASHED_MEMORY => ExitClass::CrashedMemory,
            abi::EXIT_CRASHED_CPU => ExitClass::CrashedCpu,
            abi::EXIT_CRASHED_TIMEOUT => ExitClass::CrashedTimeout,
            abi::EXIT_KILLED => ExitClass::Killed,
            abi::EXIT_NOPROC => ExitClass::NoProcess,
            abi::EXIT_NOCONNECTION => ExitClass::NoConnection,
            _ => ExitClass::Crashed,
        }
    }
}

/// The end of a process.
#[derive(Clone, Debug)]
pub struct Exit {
    pub process: Pid,
    pub class: ExitClass,
    pub status: i32,
    pub reason: String,
}

/// This process.
pub fn self_pid() -> Pid {
    // SAFETY: nothing is passed.
    Pid(unsafe { abi::self_() })
}

/// Who started this process; `None`: the platform.
pub fn parent() -> Option<Pid> {
    // SAFETY: nothing is passed.
    let pid = unsafe { abi::parent() };
    (pid != 0).then_some(Pid(pid))
}

/// Says that this service has started; its first `receive` says it too.
pub fn ready() {
    // SAFETY: nothing is passed.
    unsafe { abi::ready() };
}

/// Says what `mote ps` shows beside the component.
pub fn set_label(text: &str) -> Result {
    // SAFETY: the host reads the text only; so with all texts below.
    done(unsafe { abi::set_label(text.as_ptr(), text.len()) }).map(drop)
}

/// A variable that the capability's `env` grants.
pub fn env(name: &str) -> Result<String> {
    // SAFETY: memory::text tells how much room there is; so everywhere.
    memory::text(|to, room| unsafe { abi::env_get(name.as_ptr(), name.len(), to, room) })
}

/// What the spawner passed.
pub fn input() -> Vec<u8> {
    // SAFETY: as above.
    memory::bytes(|to, room| unsafe { abi::input_get(to, room) }).unwrap_or_default()
}

/// How grave a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Error = abi::LOG_LEVEL_ERROR as isize,
    Warn = abi::LOG_LEVEL_WARN as isize,
    Info = abi::LOG_LEVEL_INFO as isize,
    Debug = abi::LOG_LEVEL_DEBUG as isize,
}

/// Writes a line to the node's log; of several lines each.
pub fn log(level: Level, text: &str) {
    for line in text.lines() {
        // SAFETY: the host reads the text only.
        unsafe { abi::log(level as i32, line.as_ptr(), line.len()) };
    }
}

/// How to spawn. The default: untied, with all that the component is granted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spawning {
    /// They end together.
    pub link: bool,
    pub max_memory_mb: u32,
    /// Of a unit of work.
    pub max_cpu: Duration,
    /// Of its life.
    pub deadline: Duration,
}

pub(crate) fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn start(component: &str, input: &[u8], how: Spawning, flags: u32) -> Result<abi::Spawned> {
    let options = abi::SpawnOptions {
        flags: flags | if how.link { abi::SPAWN_LINK } else { 0 },
        max_memory_mb: how.max_memory_mb,
        max_cpu_ms: milliseconds(how.max_cpu),
        deadline_ms: milliseconds(how.deadline),
    };
    let mut spawned = abi::Spawned::ZERO;
    // SAFETY: all of them live until it returns.
    done(unsafe {
        abi::spawn(component.as_ptr(), component.len(), input.as_ptr(), input.len(), &options, &mut spawned)
    })?;
    Ok(spawned)
}

/// Starts a process of a component of the manifest, `component` or `component#entry`, which gets the input.
pub fn spawn(component: &str, input: &[u8]) -> Result<Pid> {
    spawn_with(component, input, Spawning::default())
}

/// The same with options.
pub fn spawn_with(component: &str, input: &[u8], how: Spawning) -> Result<Pid> {
    start(component, input, how, 0).map(|spawned| Pid(spawned.pid))
}

/// The same, to be told when it has ended.
pub fn spawn_monitored(component: &str, input: &[u8], how: Spawning) -> Result<(Pid, Monitor)> {
    let spawned = start(component, input, how, abi::SPAWN_MONITOR)?;
    Ok((Pid(spawned.pid), Monitor { reference: spawned.reference, is_over: false }))
}

/// Tells of the end of a process, once. Dropped, it tells no more.
#[derive(Debug)]
pub struct Monitor {
    reference: u64,
    is_over: bool,
}

impl Monitor {
    /// Waits for it.
    pub fn wait(mut self) -> Result<Exit> {
        let piece = take(bit(abi::MAIL_DOWN), self.reference, FOR_EVER)?;
        self.is_over = true;
        Ok(piece.exit())
    }

    /// Waits for it; other tasks go on.
    pub async fn wait_async(mut self) -> Result<Exit> {
        let piece = task::answer(self.reference).await?;
        self.is_over = true;
        Ok(piece.exit())
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if !self.is_over {
            // SAFETY: a number is passed; so with those below.
            unsafe { abi::demonitor(self.reference) };
        }
    }
}

/// Watches a process; one that is not there has ended with [`ExitClass::NoProcess`].
pub fn monitor(pid: Pid) -> Result<Monitor> {
    // SAFETY: as above.
    let reference = reference(unsafe { abi::monitor(pid.0) })?;
    Ok(Monitor { reference, is_over: false })
}

/// Has both end together.
pub fn link(pid: Pid) -> Result {
    // SAFETY: as above.
    done(unsafe { abi::link(pid.0) }).map(drop)
}

/// Undoes `link`.
pub fn unlink(pid: Pid) -> Result {
    // SAFETY: as above.
    done(unsafe { abi::unlink(pid.0) }).map(drop)
}

/// Makes mail of exit signals and of the request to stop. The result is what was before.
pub fn trap_exits(on: bool) -> bool {
    // SAFETY: as above.
    unsafe { abi::trap_exits(on.into()) == 1 }
}

/// Ends this process with a reason; `normal` and `shutdown` are classes of their own.
pub fn end(reason: &str) -> ! {
    // SAFETY: the host reads the text only.
    unsafe { abi::exit(reason.as_ptr(), reason.len()) }
}

/// Ends another process that does not trap exits.
pub fn exit_signal(pid: Pid, reason: &str) -> Result {
    // SAFETY: the host reads the text only.
    done(unsafe { abi::exit_signal(pid.0, reason.as_ptr(), reason.len()) }).map(drop)
}

/// Ends a process, whatever it does.
pub fn kill(pid: Pid) -> Result {
    // SAFETY: a number is passed.
    done(unsafe { abi::kill(pid.0) }).map(drop)
}

/// Waits; [`task::sleep`] is for tasks.
pub fn sleep(time: Duration) -> Result {
    // SAFETY: a number is passed.
    done(unsafe { abi::sleep(nanoseconds(time)) }).map(drop)
}

/// Sends later: as [`Fired`](crate::Kind::Fired) to oneself, as [`Sent`](crate::Kind::Sent) to another. The result is for
/// [`cancel`].
pub fn send_after(to: Pid, label: u64, body: &[u8], after: Duration) -> Result<u64> {
    // SAFETY: the host reads the body only.
    reference(unsafe { abi::send_after(to.0, label, body.as_ptr(), body.len(), nanoseconds(after)) })
}

/// Has a [`Fired`](crate::Kind::Fired) come again and again.
pub fn interval(every: Duration) -> Result<u64> {
    // SAFETY: there is no body.
    reference(unsafe { abi::interval(nanoseconds(every), std::ptr::null(), 0) })
}

/// Ends a timer.
pub fn cancel(timer: u64) -> Result {
    // SAFETY: a number is passed.
    done(unsafe { abi::cancel(timer) }).map(drop)
}

/// Fills a slice with unpredictable bytes.
pub fn random(bytes: &mut [u8]) -> Result<(), Error> {
    for piece in bytes.chunks_mut(1 << 16) {
        // SAFETY: the host writes as many as there are.
        done(unsafe { abi::random(piece.as_mut_ptr(), piece.len()) })?;
    }
    Ok(())
}

use std::time::Duration;

use crate::abi;
use crate::error::{done, Result};
use crate::mail::Pid;
use crate::process::milliseconds;

/// What a supervisor restarts when a child has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    #[default]
    OneForOne = abi::STRATEGY_ONE_FOR_ONE as isize,
    OneForAll = abi::STRATEGY_ONE_FOR_ALL as isize,
    RestForOne = abi::STRATEGY_REST_FOR_ONE as isize,
}

/// When a child is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    #[default]
    Permanent = abi::RESTART_PERMANENT as isize,
    Transient = abi::RESTART_TRANSIENT as isize,
    Temporary = abi::RESTART_TEMPORARY as isize,
}

/// One child of a supervisor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Child<'a> {
    /// Empty: as its component.
    pub name: &'a str,
    pub component: &'a str,
    pub input: &'a [u8],
    pub restart: Restart,
    /// How long it may take to stop; none: it is killed.
    pub shutdown: Duration,
    /// Within which it is to say that it is ready; none: it has started at once.
    pub start: Duration,
}

/// How to supervise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Supervisor {
    pub strategy: Strategy,
    pub max_restarts: u32,
    pub window: Duration,
}

fn place(bytes: &[u8]) -> (u32, u32) {
    (bytes.as_ptr() as usize as u32, bytes.len() as u32)
}

impl Supervisor {
    /// Starts a supervisor, linked to this process, and then its children in order.
    pub fn start(&self, children: &[Child<'_>]) -> Result<Pid> {
        let spec = abi::SupervisorSpec {
            strategy: self.strategy as u32,
            max_restarts: self.max_restarts,
            window_ms: milliseconds(self.window),
            reserved: 0,
        };
        let of = |child: &Child<'_>| {
            let (name, name_size) = place(child.name.as_bytes());
            let (component, component_size) = place(child.component.as_bytes());
            let (input, input_size) = place(child.input);
            abi::ChildSpec {
                name,
                name_size,
                component,
                component_size,
                input,
                input_size,
                restart: child.restart as u32,
                shutdown_ms: milliseconds(child.shutdown),
                start_timeout_ms: milliseconds(child.start),
                reserved: 0,
            }
        };
        let mut list: Vec<abi::ChildSpec> = children.iter().map(of).collect();
        let mut pid = 0;
        // SAFETY: all of them, and what `children` points to, live until it returns.
        done(unsafe { abi::supervisor_start(&spec, list.as_mut_ptr(), list.len(), &mut pid) })?;
        Ok(Pid(pid))
    }
}

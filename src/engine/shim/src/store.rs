//! What a fiber's store carries, and the errors of ours that may come out of it.

use crate::fiber::Fiber;
use crate::image::Image;
use crate::reuse::State;
use crate::wasi::{CWasi, Preview2};
use std::ffi::c_void;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::{Error, Memory, ResourceLimiter, Result};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtxView, WasiView};

/// Linear memory would pass a ceiling.
#[derive(Debug)]
pub struct MemoryCeiling {
    pub asked: u64,
    pub ceiling: u64,
}

impl fmt::Display for MemoryCeiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory would grow to {} bytes; its ceiling is {}", self.asked, self.ceiling)
    }
}
impl std::error::Error for MemoryCeiling {}

/// A table would pass what the pool has for one.
#[derive(Debug)]
pub struct TableCeiling {
    pub asked: u64,
    pub ceiling: u64,
}

impl fmt::Display for TableCeiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table would grow to {} elements; the limit is {}", self.asked, self.ceiling)
    }
}
impl std::error::Error for TableCeiling {}

/// The tick function said stop.
#[derive(Debug)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")
    }
}
impl std::error::Error for Stopped {}

/// A host function ended the guest, as if its entry had returned.
#[derive(Debug)]
pub struct Left;

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("left")
    }
}
impl std::error::Error for Left {}

/// A host function ended the guest.
#[derive(Debug)]
pub struct HostTrap(pub String);

impl fmt::Display for HostTrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for HostTrap {}

pub struct Limiter {
    /// Of all memories of the store together.
    pub memory_bytes: u64,
    /// Of one: what the pool has reserved for it.
    pub memory_each_bytes: u64,
    /// What they have now.
    pub memory_used_bytes: u64,
    /// Where C reads that, and keeps it longer than the fiber; NULL: nowhere.
    pub account: Option<&'static AtomicU64>,
    pub table_elements: u64,
}

impl ResourceLimiter for Limiter {
    /// Called for a new memory too, which has nothing before.
    fn memory_growing(&mut self, now: usize, to: usize, most: Option<usize>) -> Result<bool> {
        // Past the maximum that the guest itself declared, memory.grow answers -1, as in the
        // standard.
        if most.is_some_and(|most| to > most) {
            return Ok(false);
        }
        let others = self.memory_used_bytes.saturating_sub(now as u64);
        let (each, together) = (to as u64, others.saturating_add(to as u64));
        if together > self.memory_bytes {
            let ceiling = self.memory_bytes;
            return Err(Error::new(MemoryCeiling { asked: together, ceiling }));
        }
        if each > self.memory_each_bytes {
            let ceiling = self.memory_each_bytes;
            return Err(Error::new(MemoryCeiling { asked: each, ceiling }));
        }
        // A growth that fails after this ends the guest, so the sum stays right.
        self.memory_used_bytes = together;
        // Relaxed: a number for readers.
        if let Some(account) = self.account {
            account.store(together, Ordering::Relaxed);
        }
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        // Only the operating system is left to refuse: a guest cannot do anything about that.
        Err(error.context("memory.grow"))
    }

    fn table_growing(&mut self, _now: usize, to: usize, most: Option<usize>) -> Result<bool> {
        // Here the engine's `most` is the smaller of the guest's own maximum and the pool's.
        let (to, ceiling) = (to as u64, self.table_elements);
        if most.is_some_and(|most| to > most as u64 && (most as u64) < ceiling) {
            return Ok(false);
        }
        if to > ceiling {
            return Err(Error::new(TableCeiling { asked: to, ceiling }));
        }
        Ok(true)
    }
}

pub struct Data {
    pub process: *mut c_void,
    pub image: *const Image,
    pub fiber: *const Fiber,
    /// The exported "memory", once a host function asked for it.
    pub memory: Option<Memory>,
    pub limiter: Limiter,
    /// What C wants the WASI context to be; NULL: nothing in it.
    pub wasi: *const CWasi,
    pub preview1: Option<Box<WasiP1Ctx>>,
    pub preview2: Option<Box<Preview2>>,
    /// Of an instance that was used before.
    pub state: Option<Box<State>>,
}

// A fiber is polled by one thread at a time, and C keeps what the pointers name alive (engine.h).
unsafe impl Send for Data {}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let world = Preview2::of(self);
        WasiCtxView { ctx: &mut world.context, table: &mut world.table }
    }
}

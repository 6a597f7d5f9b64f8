//! Instances that were put back to their beginning and wait for the next guest of their image.

use crate::image::Image;
use crate::reuse::State;
use crate::store::Data;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wasmtime::Store;

/// A store with one instance in which nothing has run since it was put back.
pub struct Spare {
    image: *const Image,
    pub store: Store<Data>,
    pub state: Box<State>,
    tables: u64,
}

// The image is compared, never used; the rest is Send.
unsafe impl Send for Spare {}

/// Of one engine: the one used last is at the end.
pub struct Spares {
    most: usize,
    list: Mutex<Vec<Spare>>,
}

/// What they hold of a pool: an instance, a memory and a stack each.
pub struct Count {
    pub spares: u64,
    pub tables: u64,
}

impl Spares {
    pub fn new(most: usize) -> Spares {
        Spares { most, list: Mutex::new(Vec::with_capacity(most)) }
    }

    fn list(&self) -> MutexGuard<'_, Vec<Spare>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn take(&self, image: *const Image) -> Option<Spare> {
        if self.most == 0 {
            return None;
        }
        let mut list = self.list();
        let at = list.iter().rposition(|one| std::ptr::eq(one.image, image))?;
        Some(list.remove(at))
    }

    /// Where there are as many as may be, the one that nobody wanted for longest goes.
    pub fn give(&self, image: *const Image, store: Store<Data>, state: Box<State>, tables: u64) {
        let spare = Spare { image, store, state, tables };
        let oldest = {
            let mut list = self.list();
            let oldest = if list.len() >= self.most { Some(list.remove(0)) } else { None };
            list.push(spare);
            oldest
        };
        // Outside of the lock: it costs as much as a spawn.
        drop(oldest);
    }

    /// The image is about to go.
    pub fn forget(&self, image: *const Image) {
        let gone: Vec<Spare> = {
            let mut list = self.list();
            let (gone, kept) = list.drain(..).partition(|one| std::ptr::eq(one.image, image));
            *list = kept;
            gone
        };
        drop(gone);
    }

    pub fn wanted(&self) -> bool {
        self.most > 0
    }

    pub fn count(&self) -> Count {
        let list = self.list();
        Count { spares: list.len() as u64, tables: list.iter().map(|one| one.tables).sum() }
    }
}

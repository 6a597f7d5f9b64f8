use crate::error::{done, Result};
use crate::mail::Pid;
use crate::abi;

/// Takes a name that only one process can have.
pub fn register(name: &str) -> Result {
    // SAFETY: the host reads the name only; so everywhere here.
    done(unsafe { abi::register(name.as_ptr(), name.len(), std::ptr::null_mut()) }).map(drop)
}

/// Gives it back.
pub fn unregister(name: &str) -> Result {
    // SAFETY: as above.
    done(unsafe { abi::unregister(name.as_ptr(), name.len()) }).map(drop)
}

/// Who has that name: also how a service is found.
pub fn whereis(name: &str) -> Result<Pid> {
    let (space, mut pid) = ("", 0);
    // SAFETY: `pid` lives until it returns.
    done(unsafe { abi::whereis(space.as_ptr(), 0, name.as_ptr(), name.len(), &mut pid) })?;
    Ok(Pid(pid))
}

/// Puts this process under a tag, which many can have.
pub fn tag(name: &str) -> Result {
    // SAFETY: as above.
    done(unsafe { abi::tag(name.as_ptr(), name.len()) }).map(drop)
}

/// Takes it off again.
pub fn untag(name: &str) -> Result {
    // SAFETY: as above.
    done(unsafe { abi::untag(name.as_ptr(), name.len()) }).map(drop)
}

/// Who has a tag, the oldest first.
pub fn tagged(name: &str) -> Result<Vec<Pid>> {
    let space = "";
    // SAFETY: `pids` tells how much room there is.
    pids(|to, room| unsafe { abi::tagged(space.as_ptr(), 0, name.as_ptr(), name.len(), to, room) })
}

/// Has what is published to a group come as mail.
pub fn join(group: &str) -> Result {
    // SAFETY: as above.
    done(unsafe { abi::join(group.as_ptr(), group.len()) }).map(drop)
}

/// Undoes `join`.
pub fn leave(group: &str) -> Result {
    // SAFETY: as above.
    done(unsafe { abi::leave(group.as_ptr(), group.len()) }).map(drop)
}

/// Who is in a group.
pub fn members(group: &str) -> Result<Vec<Pid>> {
    let space = "";
    // SAFETY: `pids` tells how much room there is.
    pids(|to, room| unsafe { abi::members(space.as_ptr(), 0, group.as_ptr(), group.len(), to, room) })
}

/// How a publication went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Mailboxes that took it.
    pub reached: u64,
    /// Those that were full.
    pub skipped: u64,
}

/// Sends to all members of a group, and waits for none of them.
pub fn publish(group: &str, label: u64, body: &[u8]) -> Result<Published> {
    let (space, mut result) = ("", abi::Publication::ZERO);
    // SAFETY: all of them live until it returns.
    done(unsafe {
        abi::publish(space.as_ptr(), 0, group.as_ptr(), group.len(), label, body.as_ptr(), body.len(), &mut result)
    })?;
    Ok(Published { reached: result.reached, skipped: result.skipped })
}

fn pids(mut read: impl FnMut(*mut u64, usize) -> i32) -> Result<Vec<Pid>> {
    let mut list = vec![0; 16];
    loop {
        let count = done(read(list.as_mut_ptr(), list.len()))? as usize;
        if count <= list.len() {
            return Ok(list[..count].iter().copied().map(Pid).collect());
        }
        list.resize(count, 0);
    }
}

//! A `list<u8>` that a component passes: where it lies. The engine's own type for lists looks the memory up
//! again at each use, because code of the guest may run in between; between the lifting of our parameters
//! and the answer of the call none does (a call that waits holds its guest), so here it is found once.

use crate::typed::Store;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext};
use wasmtime::component::{ComponentType, Lift};
use wasmtime::{Error, Result, ValRaw};

#[derive(Clone, Copy)]
pub struct ByteList {
    address: *const u8,
    size: usize,
}

// Read by the thread that runs the guest which waits for it.
unsafe impl Send for ByteList {}
unsafe impl Sync for ByteList {}

impl ByteList {
    pub fn address(&self) -> u64 {
        self.address as u64
    }

    pub fn size(&self) -> u64 {
        self.size as u64
    }

    /// The bytes, as long as nothing of the guest runs.
    pub fn slice<'a>(&self, _: &'a Store<'_>) -> &'a [u8] {
        // It lies in the memory of this store's guest (`find`), whose code does not run meanwhile.
        unsafe { std::slice::from_raw_parts(self.address, self.size) }
    }

    #[inline]
    fn find(cx: &mut LiftContext<'_>, start: u32, size: u32) -> Result<ByteList> {
        let (start, size) = (start as usize, size as usize);
        let bytes = cx.memory().get(start..).and_then(|rest| rest.get(..size));
        match bytes {
            Some(bytes) => {
                cx.consume_fuel(size)?;
                Ok(ByteList { address: bytes.as_ptr(), size })
            }
            None => Err(outside()),
        }
    }
}

#[cold]
fn outside() -> Error {
    Error::msg("list pointer/length out of bounds of memory")
}

// As the engine has it for lists of bytes.
unsafe impl ComponentType for ByteList {
    type Lower = <[u8] as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = <[u8] as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <[u8] as ComponentType>::typecheck(ty, types)
    }
}

unsafe impl Lift for ByteList {
    #[inline]
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        _: InterfaceType,
        from: &[ValRaw; 2],
    ) -> Result<ByteList> {
        ByteList::find(cx, from[0].get_u32(), from[1].get_u32())
    }

    #[inline]
    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        _: InterfaceType,
        from: &[u8],
    ) -> Result<ByteList> {
        let word = |at: usize| {
            from.get(at..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_le_bytes)
        };
        match (word(0), word(4)) {
            (Some(start), Some(size)) => ByteList::find(cx, start, size),
            _ => Err(outside()),
        }
    }
}

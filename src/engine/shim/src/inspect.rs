//! What can be said of Wasm without compiling it. Function bodies are skipped.

use crate::ffi::{Answer, CErr, Code, Failure, export, fail, slice_of};
use std::ffi::c_int;
use wasmparser::{
    BinaryReaderError, Chunk, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, Encoding, ExternalKind, Instance, Parser, Payload,
    TypeRef,
};

const MAGIC: &[u8] = b"\0asm";
const PAGE_LOG2: u32 = 16;

/// `struct engine_inspection`.
#[repr(C)]
#[derive(Default)]
pub struct CInspection {
    kind: c_int,
    memory_min_bytes: u64,
    memories: u32,
    tables: u32,
    core_instances: u32,
    imports_wasi: bool,
    imports_wasi_p3: bool,
    command: bool,
    http: bool,
    rusm: bool,
}

/// What one instance takes from the pool.
#[derive(Clone, Copy, Default)]
struct Needs {
    memories: u32,
    tables: u32,
    core_instances: u32,
}

impl Needs {
    fn add(&mut self, other: Needs) {
        self.memories = self.memories.saturating_add(other.memories);
        self.tables = self.tables.saturating_add(other.tables);
        self.core_instances = self.core_instances.saturating_add(other.core_instances);
    }

    /// At least as much of everything: for what cannot be known.
    fn most(&mut self, other: Needs) {
        self.memories = self.memories.max(other.memories);
        self.tables = self.tables.max(other.tables);
        self.core_instances = self.core_instances.max(other.core_instances);
    }
}

/// A module or component that is being read: its own index spaces, and what an instance of it takes.
/// None: an index whose module or component is not known (imported, or found in an instance).
#[derive(Default)]
struct Scope {
    is_component: bool,
    needs: Needs,
    modules: Vec<Option<Needs>>,
    components: Vec<Option<Needs>>,
}

#[derive(Default)]
struct Reader {
    ret: CInspection,
    scopes: Vec<Scope>,
    /// The most that any module or component here takes: stands in for the unknown ones.
    most: Needs,
}

type Read = Result<(), BinaryReaderError>;

impl Reader {
    /// There is always one once a version was read.
    fn scope(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("a scope is open")
    }

    /// The names that the outermost module or component shows to the world.
    fn outermost(&self) -> bool {
        self.scopes.len() == 1
    }

    fn memory(&mut self, memory: wasmparser::MemoryType) {
        let log2 = memory.page_size_log2.unwrap_or(PAGE_LOG2).min(63);
        let bytes = memory.initial.saturating_mul(1 << log2);
        self.ret.memory_min_bytes = self.ret.memory_min_bytes.max(bytes);
    }

    fn core(&mut self, payload: &Payload<'_>) -> Read {
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    let import = import?;
                    if let TypeRef::Memory(memory) = import.ty {
                        self.memory(memory);
                    }
                    if self.outermost() {
                        self.ret.imports_wasi |= import.module == "wasi_snapshot_preview1";
                        self.ret.rusm |= import.module == "rusm";
                    }
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories.clone() {
                    self.memory(memory?);
                    let needs = &mut self.scope().needs;
                    needs.memories = needs.memories.saturating_add(1);
                }
            }
            Payload::TableSection(tables) => {
                let needs = &mut self.scope().needs;
                needs.tables = needs.tables.saturating_add(tables.count());
            }
            Payload::ExportSection(exports) if self.outermost() => {
                for export in exports.clone() {
                    let export = export?;
                    if export.kind == ExternalKind::Func && export.name == "_start" {
                        self.ret.command = true;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A module or component of an enclosing scope, `count` levels out.
    fn outer(&self, kind: ComponentOuterAliasKind, count: u32, index: u32) -> Option<Needs> {
        let level = self.scopes.len().checked_sub(1 + count as usize)?;
        let scope = self.scopes.get(level)?;
        let space = match kind {
            ComponentOuterAliasKind::CoreModule => &scope.modules,
            _ => &scope.components,
        };
        *space.get(index as usize)?
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        match *alias {
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. } => {
                self.scope().modules.push(None);
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
                self.scope().components.push(None);
            }
            ComponentAlias::Outer { kind, count, index } => {
                let needs = self.outer(kind, count, index);
                match kind {
                    ComponentOuterAliasKind::CoreModule => self.scope().modules.push(needs),
                    ComponentOuterAliasKind::Component => self.scope().components.push(needs),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn import(&mut self, name: &str, what: &ComponentTypeRef) {
        match what {
            ComponentTypeRef::Module(_) => self.scope().modules.push(None),
            ComponentTypeRef::Component(_) => self.scope().components.push(None),
            _ => {}
        }
        if self.outermost() && name.starts_with("wasi:") && name.contains("@0.3") {
            self.ret.imports_wasi_p3 = true;
        }
        self.ret.rusm |= self.outermost() && name.starts_with("rusm:runtime/");
    }

    fn export(&mut self, name: &str, kind: ComponentExternalKind, index: u32) {
        // An export makes a new index for the same thing.
        match kind {
            ComponentExternalKind::Module => {
                let needs = self.scope().modules.get(index as usize).copied().flatten();
                self.scope().modules.push(needs);
            }
            ComponentExternalKind::Component => {
                let needs = self.scope().components.get(index as usize).copied().flatten();
                self.scope().components.push(needs);
            }
            _ => {}
        }
        if self.outermost() {
            let is = |wanted: &str| name == wanted || name.starts_with(&format!("{wanted}@"));
            self.ret.command |= is("wasi:cli/run");
            self.ret.http |= is("wasi:http/incoming-handler");
        }
    }

    fn component(&mut self, payload: &Payload<'_>) -> Read {
        match payload {
            Payload::InstanceSection(instances) => {
                for instance in instances.clone() {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        let known = self.scope().modules.get(module_index as usize).copied();
                        let mut needs = known.flatten().unwrap_or(self.most);
                        needs.core_instances = 1;
                        self.scope().needs.add(needs);
                    }
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances.clone() {
                    if let ComponentInstance::Instantiate { component_index, .. } = instance? {
                        let known = self.scope().components.get(component_index as usize).copied();
                        let needs = known.flatten().unwrap_or(self.most);
                        self.scope().needs.add(needs);
                    }
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases.clone() {
                    self.alias(&alias?);
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone() {
                    let import = import?;
                    self.import(import.name.name, &import.ty);
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    self.export(export.name.name, export.kind, export.index);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The innermost module or component is complete.
    fn end(&mut self) {
        let Some(scope) = self.scopes.pop() else { return };
        let mut needs = scope.needs;
        if !scope.is_component {
            needs.core_instances = 1;
        }
        self.most.most(needs);
        match self.scopes.last_mut() {
            Some(outer) if scope.is_component => outer.components.push(Some(needs)),
            Some(outer) => outer.modules.push(Some(needs)),
            None => {
                self.ret.memories = needs.memories;
                self.ret.tables = needs.tables;
                self.ret.core_instances = needs.core_instances;
            }
        }
    }
}

fn invalid(error: &BinaryReaderError) -> Failure {
    let text = format!("invalid: {} at byte {:#x}", error.message(), error.offset());
    Failure { code: Code::Input, text }
}

/// The next piece, or why there is none.
fn next<'a>(
    parser: &mut Parser,
    wasm: &'a [u8],
    position: &mut usize,
) -> Answer<(usize, Payload<'a>)> {
    let before = parser.clone();
    let rest = &wasm[*position..];
    match parser.parse(rest, true) {
        Ok(Chunk::Parsed { consumed, payload }) => {
            *position += consumed;
            Ok((consumed, payload))
        }
        Ok(Chunk::NeedMoreData(_)) => truncated(wasm),
        // Asked again as if more could come: then the parser tells a short file from a bad one.
        Err(error) => match before.clone().parse(rest, false) {
            Ok(Chunk::NeedMoreData(_)) => truncated(wasm),
            _ => Err(invalid(&error)),
        },
    }
}

fn truncated<T>(wasm: &[u8]) -> Answer<T> {
    fail(Code::Input, format!("truncated at byte {}", wasm.len()))
}

fn check_magic(wasm: &[u8]) -> Answer<()> {
    if wasm.is_empty() {
        return fail(Code::Input, "not WebAssembly: the file is empty");
    }
    let start = &wasm[..wasm.len().min(MAGIC.len())];
    if !MAGIC.starts_with(start) {
        let shown = start.escape_ascii();
        let text = format!("not WebAssembly: begins with \"{shown}\" instead of \"\\0asm\"");
        return fail(Code::Input, text);
    }
    Ok(())
}

fn inspect(wasm: &[u8]) -> Answer<CInspection> {
    check_magic(wasm)?;
    let mut reader = Reader::default();
    let mut outer = Vec::new();
    let mut parser = Parser::new(0);
    let mut position = 0;
    loop {
        let (_, payload) = next(&mut parser, wasm, &mut position)?;
        match &payload {
            Payload::Version { encoding, .. } => {
                let is_component = *encoding == Encoding::Component;
                if reader.scopes.is_empty() {
                    reader.ret.kind = is_component.into();
                }
                reader.scopes.push(Scope { is_component, ..Scope::default() });
            }
            Payload::ModuleSection { parser: inner, .. }
            | Payload::ComponentSection { parser: inner, .. } => {
                outer.push(std::mem::replace(&mut parser, inner.clone()));
                continue;
            }
            Payload::CodeSectionStart { size, .. } => {
                // Bodies are the compiler's business.
                let size = *size as usize;
                if wasm.len() - position < size {
                    return truncated(wasm);
                }
                parser.skip_section();
                position += size;
            }
            Payload::End(_) => {
                reader.end();
                match outer.pop() {
                    Some(enclosing) => parser = enclosing,
                    None => return Ok(reader.ret),
                }
            }
            _ => {}
        }
        let read = match reader.scopes.last() {
            Some(scope) if scope.is_component => reader.component(&payload),
            Some(_) => reader.core(&payload),
            None => Ok(()),
        };
        read.map_err(|error| invalid(&error))?;
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_inspect(
    wasm: *const u8,
    size_bytes: usize,
    ret: &mut CInspection,
    err: *mut CErr,
) -> bool {
    unsafe {
        export(err, false, || {
            *ret = inspect(slice_of(wasm, size_bytes))?;
            Ok(true)
        })
    }
}

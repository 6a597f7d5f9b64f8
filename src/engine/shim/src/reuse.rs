//! Which modules' instances can be put back to their beginning, and how: everything that a run may
//! change is one memory and some globals of numbers. The compiled module exports these under names of
//! ours, for the host alone. For any other module an instance is made anew each time.

use std::sync::OnceLock;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{ExportKind, ExportSection, RawSection};
use wasmparser::{GlobalType, MemoryType, Operator, Parser, Payload, TypeRef, ValType};
use wasmtime::{Extern, Global, Instance, Memory, Module, ModuleExport, Result, Store, Val};

use crate::store::Data;

/// No module may export such a name itself: what loads the compiled one believes it.
const OURS: &str = "mote:state ";
const MEMORY: &str = "mote:state memory ";
const GLOBAL: &str = "mote:state global ";
/// Writing a larger memory whole costs more than an instance.
const MEMORY_BYTES_MAX: u64 = 128 << 10;
/// Part of what an artefact depends on: to be counted up whenever prepare() makes something else.
pub const FORM: u32 = 1;
const GLOBALS_MAX: usize = 16;

/// What a walk through a module finds.
#[derive(Default)]
struct Shape<'a> {
    memories: Vec<MemoryType>,
    tables: usize,
    globals: Vec<GlobalType>,
    exports: Option<wasmparser::ExportSectionReader<'a>>,
}

fn is_number(kind: ValType) -> bool {
    matches!(kind, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 | ValType::V128)
}

/// Operators that change what is neither memory nor a global: tables, and segments that are dropped.
fn changes_more(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::ElemDrop { .. }
            | Operator::DataDrop { .. }
    )
}

/// None: it has something that is not put back, or is malformed, which the compiler says better.
fn shape(wasm: &[u8]) -> Option<Shape<'_>> {
    let mut shape = Shape::default();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    match import.ok()?.ty {
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => {}
                        _ => return None,
                    }
                }
            }
            Payload::MemorySection(memories) => {
                shape.memories = memories.into_iter().collect::<Result<_, _>>().ok()?;
            }
            Payload::TableSection(tables) => shape.tables = tables.count() as usize,
            Payload::GlobalSection(globals) => {
                for global in globals {
                    shape.globals.push(global.ok()?.ty);
                }
            }
            Payload::ExportSection(exports) => shape.exports = Some(exports),
            // What a start function leaves may be another thing each time.
            Payload::StartSection { .. } | Payload::TagSection(_) => return None,
            Payload::CodeSectionEntry(body) => {
                for operator in body.get_operators_reader().ok()? {
                    if changes_more(&operator.ok()?) {
                        return None;
                    }
                }
            }
            _ => {}
        }
    }
    Some(shape)
}

fn fits(shape: &Shape<'_>) -> bool {
    let [memory] = &shape.memories[..] else { return false };
    let bytes = memory.initial.saturating_mul(memory.page_size().into());
    let mut mutable = shape.globals.iter().filter(|global| global.mutable);
    !memory.shared
        && bytes <= MEMORY_BYTES_MAX
        && shape.tables <= 1
        && mutable.clone().count() <= GLOBALS_MAX
        && mutable.all(|global| is_number(global.content_type))
}

/// The section with exports of the state behind its own; `longer`: by so many bytes the file grows.
fn exports(shape: &Shape<'_>, longer: usize) -> Option<ExportSection> {
    let mut section = ExportSection::new();
    for export in shape.exports.clone()? {
        RoundtripReencoder.parse_export(&mut section, export.ok()?).ok()?;
    }
    for (index, _) in shape.globals.iter().enumerate().filter(|(_, global)| global.mutable) {
        section.export(&format!("{GLOBAL}{index}"), ExportKind::Global, index as u32);
    }
    section.export(&format!("{MEMORY}{longer:08}"), ExportKind::Memory, 0);
    Some(section)
}

fn write(wasm: &[u8], section: &ExportSection) -> Option<Vec<u8>> {
    let mut module = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.ok()?;
        if let Payload::ExportSection(_) = payload {
            module.section(section);
        } else if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection { id, data: &wasm[range] });
        }
    }
    Some(module.finish())
}

/// Whether a module exports a name of ours.
pub fn claims(wasm: &[u8]) -> bool {
    let mut sections = Parser::new(0).parse_all(wasm).filter_map(|payload| match payload {
        Ok(Payload::ExportSection(exports)) => Some(exports),
        _ => None,
    });
    sections.any(|exports| exports.into_iter().flatten().any(|export| is_ours(export.name)))
}

/// The module as it is compiled where its instances can be used again. None: as it is.
pub fn prepare(wasm: &[u8]) -> Option<Vec<u8>> {
    let shape = shape(wasm).filter(fits)?;
    let longer = write(wasm, &exports(&shape, 0)?)?.len().checked_sub(wasm.len())?;
    write(wasm, &exports(&shape, longer)?)
}

/// Whether an export is one of ours.
pub fn is_ours(name: &str) -> bool {
    name.starts_with(OURS)
}

/// By how many bytes what is compiled is longer than the file, before its code.
pub fn longer(module: &Module) -> usize {
    let mut names = module.exports().filter_map(|one| one.name().strip_prefix(MEMORY));
    names.next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// How instances of a module are put back. Constant but for `beginning`.
pub struct Reuse {
    memory: ModuleExport,
    globals: Vec<ModuleExport>,
    pub tables: u64,
    beginning: OnceLock<Beginning>,
}

/// What an instance holds before anything ran in it.
struct Beginning {
    memory_bytes: usize,
    /// Without the zeros behind the last byte that is none.
    memory: Box<[u8]>,
    globals: Box<[Val]>,
}

/// An instance's state.
pub struct State {
    pub instance: Instance,
    memory: Memory,
    globals: Box<[Global]>,
}

impl Reuse {
    pub fn of(module: &Module) -> Option<Reuse> {
        let mut memory = None;
        let mut globals = Vec::new();
        for export in module.exports().filter(|export| is_ours(export.name())) {
            let index = module.get_export_index(export.name())?;
            if export.name().starts_with(MEMORY) {
                memory = Some(index);
            } else {
                globals.push(index);
            }
        }
        let tables = module.resources_required().num_tables.into();
        Some(Reuse { memory: memory?, globals, tables, beginning: OnceLock::new() })
    }

    fn state(&self, store: &mut Store<Data>, instance: Instance) -> Option<State> {
        let memory = instance.get_module_export(&mut *store, &self.memory)?.into_memory()?;
        let globals = self.globals.iter().map(|export| {
            instance.get_module_export(&mut *store, export).and_then(Extern::into_global)
        });
        Some(State { instance, memory, globals: globals.collect::<Option<_>>()? })
    }

    /// Of the memory at the beginning; 0 before the first begin().
    pub fn memory_bytes(&self) -> u64 {
        self.beginning.get().map_or(0, |beginning| beginning.memory_bytes as u64)
    }

    /// Called for each new instance before anything runs in it: the first is looked at.
    pub fn begin(&self, store: &mut Store<Data>, instance: Instance) {
        if self.beginning.get().is_some() {
            return;
        }
        let Some(state) = self.state(store, instance) else { return };
        let bytes = state.memory.data(&*store);
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let beginning = Beginning {
            memory_bytes: bytes.len(),
            memory: bytes[..used].into(),
            globals: state.globals.iter().map(|global| global.get(&mut *store)).collect(),
        };
        // Another thread may have been first, with the same.
        _ = self.beginning.set(beginning);
    }

    /// Put an instance back whose entry has returned. None: it has grown, or cannot be put back.
    pub fn reset(
        &self,
        store: &mut Store<Data>,
        instance: Instance,
        state: Option<Box<State>>,
    ) -> Option<Box<State>> {
        let beginning = self.beginning.get()?;
        let state = match state {
            Some(state) => state,
            None => Box::new(self.state(store, instance)?),
        };
        let memory = state.memory.data_mut(&mut *store);
        if memory.len() != beginning.memory_bytes {
            return None;
        }
        let (front, rest) = memory.split_at_mut(beginning.memory.len());
        front.copy_from_slice(&beginning.memory);
        rest.fill(0);
        for (global, value) in state.globals.iter().zip(&beginning.globals) {
            global.set(&mut *store, *value).ok()?;
        }
        Some(state)
    }
}

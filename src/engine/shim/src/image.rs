//! Images: an artefact in an engine, linked, with its entries resolved.

use crate::denial;
use crate::engine::Engine;
use crate::exit;
use crate::ffi::{Answer, CBytes, CErr, Code as ErrorCode, Failure, contain, export, fail};
use crate::ffi::{slice_of, str_of};
use crate::host::{self, CImport};
use crate::reuse::{self, Reuse};
use crate::spare::Spares;
use crate::store::Data;
use crate::typed;
use crate::wasi;
use std::ffi::{c_char, c_int};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{self, Component, ComponentExportIndex};
use wasmtime::{ExternType, FuncType, InstancePre, Linker, Module, ModuleExport};
use wasmtime::{Precompiled, UnknownImportError};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

const KIND_MODULE: c_int = 0;
const PREVIEW1: &str = "wasi_snapshot_preview1";
const OURS: &str = "mote";
const POLL: &str = "poll_oneoff";
const RUN_INTERFACE: &str = "wasi:cli/run";
const HTTP_INTERFACE: &str = "wasi:http/incoming-handler";
/// So many names of exports are listed in an error.
const LISTED_MAX: usize = 20;

/// `struct engine_link`.
#[repr(C)]
pub struct CLink {
    imports: *const CImport,
    import_count: usize,
    wasi: bool,
}

pub struct ModuleCode {
    pub pre: InstancePre<Data>,
    pub initialize: Option<ModuleExport>,
    memory: Option<ModuleExport>,
    /// Its instances can be used again, and are.
    pub reuse: Option<Reuse>,
}

pub struct ComponentCode {
    pub pre: component::InstancePre<Data>,
    /// It answers requests.
    pub proxy: Option<ProxyPre<Data>>,
}

pub enum Code {
    Module(ModuleCode),
    Component(ComponentCode),
}

/// A function of type () -> () that can be run.
pub enum Entry {
    Module {
        export: ModuleExport,
        is_start: bool,
    },
    Component(ComponentExportIndex),
    /// `wasi:cli/run`, whose result is one of no values and no errors.
    ComponentRun(ComponentExportIndex),
    /// `wasi:http/incoming-handler`: ComponentCode's `proxy`.
    ComponentHttp,
}

/// `struct engine_image`. Constant once loaded.
pub struct Image {
    pub engine: wasmtime::Engine,
    pub memory_reservation_bytes: u64,
    pub table_elements: u64,
    pub code: Code,
    pub entries: Vec<Entry>,
    /// Of `entries`.
    names: Vec<String>,
    /// Other exports, and what they are.
    others: Vec<(String, String)>,
    pub wasi: bool,
    pub spares: Arc<Spares>,
}

impl Image {
    pub fn memory(&self) -> Option<&ModuleExport> {
        match &self.code {
            Code::Module(code) => code.memory.as_ref(),
            Code::Component(_) => None,
        }
    }

    pub fn is_http(&self, entry: u32) -> bool {
        matches!(self.entries[entry as usize], Entry::ComponentHttp)
    }
}

fn function_text(function: &FuncType) -> String {
    let list = |types: &mut dyn Iterator<Item = wasmtime::ValType>| {
        types.map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
    };
    let (parameters, results) = (list(&mut function.params()), list(&mut function.results()));
    format!("({parameters}) -> ({results})")
}

fn extern_text(what: &ExternType) -> String {
    match what {
        ExternType::Func(function) => format!("a function {}", function_text(function)),
        ExternType::Global(_) => "a global".into(),
        ExternType::Table(_) => "a table".into(),
        ExternType::Memory(_) => "a memory".into(),
        ExternType::Tag(_) => "a tag".into(),
    }
}

/// Read an artefact. Everything but the artefact's own fault says what the engine said.
fn artefact<T>(
    engine: &Engine,
    expected: Precompiled,
    path: &str,
    bytes: Option<&[u8]>,
    from_file: impl FnOnce(&wasmtime::Engine, &Path) -> wasmtime::Result<T>,
    from_bytes: impl FnOnce(&wasmtime::Engine, &[u8]) -> wasmtime::Result<T>,
) -> Answer<T> {
    let found = match bytes {
        Some(bytes) => wasmtime::Engine::detect_precompiled(bytes),
        None => match wasmtime::Engine::detect_precompiled_file(path) {
            Ok(found) => found,
            Err(error) => return fail(ErrorCode::Input, format!("{path}: {error:#}")),
        },
    };
    if found.is_none() {
        return fail(ErrorCode::Input, "not a compiled artefact");
    }
    if found != Some(expected) {
        let text = "an artefact of the other kind (module, component)";
        return fail(ErrorCode::Input, text);
    }
    let loaded = match bytes {
        Some(bytes) => from_bytes(&engine.engine, bytes),
        None => from_file(&engine.engine, Path::new(path)),
    };
    loaded.map_err(|error| {
        let text = format!("{error:#}");
        // The pool's own words; everything else is a matter of versions and settings.
        let limit = text.contains("exceeds") || text.contains("pooling allocator");
        let code = if limit { ErrorCode::Limit } else { ErrorCode::Input };
        Failure { code, text }
    })
}

/// The modules that are offered, for an error.
fn offered(imports: &[CImport], wasi: bool) -> Vec<String> {
    let mut modules: Vec<String> = Vec::new();
    for import in imports.iter().filter(|import| import.is_for_modules()) {
        let module = unsafe { str_of(import.module_name()) };
        if !modules.iter().any(|one| *one == module) {
            modules.push(module.into_owned());
        }
    }
    if wasi {
        modules.push(PREVIEW1.into());
    }
    modules
}

fn unknown_import(unknown: &UnknownImportError, imports: &[CImport], wasi: bool) -> String {
    let (module, name) = (unknown.module(), unknown.name());
    let what = extern_text(&unknown.ty());
    let modules = offered(imports, wasi);
    let mut text = format!("imports {module}::{name}, {what}");
    if modules.iter().any(|one| one == module) {
        text.push_str(", which mote does not offer");
    } else if module == PREVIEW1 {
        text.push_str(", but WASI is not offered here");
    } else if modules.is_empty() {
        text.push_str(", but nothing is offered here");
    } else {
        let _ = write!(text, ", but there is no module \"{module}\" (only {})", modules.join(", "));
    }
    text
}

/// The library's own takes statuses from 126 up for an error; a shell's commands use them all.
fn link_exit(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.func_wrap(PREVIEW1, "proc_exit", |status: i32| -> wasmtime::Result<()> {
        Err(exit::quiet(wasmtime::Error::new(wasmtime_wasi::I32Exit(status))))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Who imports our poll_oneoff waits in it wherever the standard library of its language waits.
fn link_poll(linker: &mut Linker<Data>, module: &Module) -> wasmtime::Result<()> {
    let mut imports = module.imports();
    if imports.any(|import| import.module() == OURS && import.name() == POLL) {
        linker.allow_shadowing(true);
        linker.alias(OURS, POLL, PREVIEW1, POLL)?;
        linker.allow_shadowing(false);
    }
    Ok(())
}

fn link_module(
    engine: &Engine,
    module: &Module,
    imports: &[CImport],
    wasi: bool,
) -> Answer<InstancePre<Data>> {
    let mut linker = Linker::new(&engine.engine);
    for import in imports.iter().filter(|import| import.is_for_modules()) {
        unsafe { host::link(&mut linker, &engine.engine, import) }?;
    }
    if wasi && module.imports().any(|import| import.module() == PREVIEW1) {
        wasi::start_runtime()?;
        wasmtime_wasi::p1::add_to_linker_async(&mut linker, wasi::preview1)
            .and_then(|()| denial::link(&mut linker))
            .and_then(|()| link_exit(&mut linker))
            .and_then(|()| link_poll(&mut linker, module))
            .or_else(|error| fail(ErrorCode::Input, format!("{error:#}")))?;
    }
    linker.instantiate_pre(module).map_err(|error| {
        let text = match error.downcast_ref::<UnknownImportError>() {
            Some(unknown) => unknown_import(unknown, imports, wasi),
            None => format!("{error:#}"),
        };
        Failure { code: ErrorCode::Input, text }
    })
}

fn is_entry(what: &ExternType) -> bool {
    match what {
        ExternType::Func(function) => function.params().len() == 0 && function.results().len() == 0,
        _ => false,
    }
}

/// The export of that name, when it may be called without another look at its type.
fn entry_of(module: &Module, name: &str) -> Option<ModuleExport> {
    if is_entry(&module.get_export(name)?) { module.get_export_index(name) } else { None }
}

fn load_module(engine: &Engine, module: &Module, link: &CLink) -> Answer<Image> {
    let imports = unsafe { slice_of(link.imports, link.import_count) };
    let pre = link_module(engine, module, imports, link.wasi)?;
    let (mut entries, mut names, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for exported in module.exports().filter(|exported| !reuse::is_ours(exported.name())) {
        let name = exported.name();
        match entry_of(module, name) {
            Some(export) => {
                entries.push(Entry::Module { export, is_start: name == "_start" });
                names.push(name.to_string());
            }
            None => others.push((name.to_string(), extern_text(&exported.ty()))),
        }
    }
    let is_memory = matches!(module.get_export("memory"), Some(ExternType::Memory(_)));
    let memory = module.get_export_index("memory").filter(|_| is_memory);
    let initialize = entry_of(module, "_initialize");
    let reuse = if engine.spares.wanted() { Reuse::of(module) } else { None };
    Ok(Image {
        engine: engine.engine.clone(),
        memory_reservation_bytes: engine.memory_reservation_bytes,
        table_elements: engine.table_elements,
        code: Code::Module(ModuleCode { pre, initialize, memory, reuse }),
        entries,
        names,
        others,
        wasi: link.wasi && module.imports().any(|import| import.module() == PREVIEW1),
        spares: engine.spares.clone(),
    })
}

/// Whether that is the interface, of any 0.2 version.
fn is_version_of(name: &str, interface: &str) -> bool {
    name.strip_prefix(interface).is_some_and(|rest| rest.is_empty() || rest.starts_with("@0.2."))
}

/// The function `run` of an exported `wasi:cli/run` of any 0.2 version.
fn find_run(component: &Component, name: &str) -> Option<ComponentExportIndex> {
    if !is_version_of(name, RUN_INTERFACE) {
        return None;
    }
    let interface = component.get_export_index(None, name)?;
    component.get_export_index(Some(&interface), "run")
}

fn link_component(
    engine: &Engine,
    component: &Component,
    imports: &[CImport],
    wasi: bool,
) -> Answer<component::InstancePre<Data>> {
    let mut linker = component::Linker::new(&engine.engine);
    let kind = component.component_type();
    for (name, _) in kind.imports(&engine.engine) {
        if name.starts_with("wasi:") && name.contains("@0.3") {
            let text = format!("imports {name}: WASI 0.3 is not offered, only 0.2");
            return fail(ErrorCode::Input, text);
        }
        if name.starts_with("wasi:") && !wasi {
            return fail(ErrorCode::Input, format!("imports {name}, but WASI is not offered here"));
        }
    }
    if wasi {
        wasi::start_runtime()?;
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)
            .and_then(|()| wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker))
            .or_else(|error| fail(ErrorCode::Input, format!("{error:#}")))?;
    }
    let names: Vec<&str> = kind.imports(&engine.engine).map(|(name, _)| name).collect();
    typed::link(&mut linker, imports, names.into_iter())
        .or_else(|error| fail(ErrorCode::Input, format!("{error:#}")))?;
    linker.instantiate_pre(component).or_else(|error| fail(ErrorCode::Input, format!("{error:#}")))
}

fn load_component(engine: &Engine, component: &Component, link: &CLink) -> Answer<Image> {
    let imports = unsafe { slice_of(link.imports, link.import_count) };
    let wasi = link.wasi;
    let pre = link_component(engine, component, imports, wasi)?;
    let (mut entries, mut names, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let mut proxy = None;
    let kind = component.component_type();
    for (name, item) in kind.exports(&engine.engine) {
        if let Some(export) = find_run(component, name) {
            entries.push(Entry::ComponentRun(export));
            names.push(RUN_INTERFACE.to_string());
            continue;
        }
        if is_version_of(name, HTTP_INTERFACE) {
            let found = ProxyPre::new(pre.clone());
            proxy = Some(found.or_else(|error| fail(ErrorCode::Input, format!("{error:#}")))?);
            entries.push(Entry::ComponentHttp);
            names.push(HTTP_INTERFACE.to_string());
            continue;
        }
        let index = component.get_export_index(None, name);
        match (item.ty, index) {
            (ComponentItem::ComponentFunc(function), Some(index))
                if function.params().len() == 0 && function.results().len() == 0 =>
            {
                entries.push(Entry::Component(index));
                names.push(name.to_string());
            }
            (ComponentItem::ComponentFunc(_), _) => {
                others.push((name.to_string(), "a function with parameters or results".into()));
            }
            _ => others.push((name.to_string(), "an interface".into())),
        }
    }
    Ok(Image {
        engine: engine.engine.clone(),
        memory_reservation_bytes: engine.memory_reservation_bytes,
        table_elements: engine.table_elements,
        code: Code::Component(ComponentCode { pre, proxy }),
        entries,
        names,
        others,
        wasi,
        spares: engine.spares.clone(),
    })
}

unsafe fn load(
    engine: &Engine,
    kind: c_int,
    path: *const c_char,
    bytes: *const CBytes,
    link: &CLink,
) -> Answer<Image> {
    let name = unsafe { str_of(path) };
    let bytes = match unsafe { bytes.as_ref() } {
        Some(bytes) if path.is_null() => Some(unsafe { slice_of(bytes.data, bytes.size) }),
        _ => None,
    };
    if kind == KIND_MODULE {
        let module = artefact(
            engine,
            Precompiled::Module,
            &name,
            bytes,
            |engine, path| unsafe { Module::deserialize_file(engine, path) },
            |engine, bytes| unsafe { Module::deserialize(engine, bytes) },
        )?;
        return load_module(engine, &module, link);
    }
    let component = artefact(
        engine,
        Precompiled::Component,
        &name,
        bytes,
        |engine, path| unsafe { Component::deserialize_file(engine, path) },
        |engine, bytes| unsafe { Component::deserialize(engine, bytes) },
    )?;
    load_component(engine, &component, link)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_load(
    engine: &Engine,
    kind: c_int,
    path: *const c_char,
    bytes: *const CBytes,
    link: &CLink,
    err: *mut CErr,
) -> *mut Image {
    unsafe {
        export(err, std::ptr::null_mut(), || {
            load(engine, kind, path, bytes, link).map(|image| Box::into_raw(Box::new(image)))
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_image_destroy(image: *mut Image) {
    if !image.is_null() {
        contain((), || {
            let image = unsafe { Box::from_raw(image) };
            image.spares.forget(&*image);
        });
    }
}

fn find_entry(image: &Image, name: &str) -> Answer<u32> {
    if let Some(index) = image.names.iter().position(|one| one == name) {
        return Ok(index as u32);
    }
    if let Some((_, what)) = image.others.iter().find(|(one, _)| one == name) {
        let text = format!("export {name} is {what}; an entry is a function () -> ()");
        return fail(ErrorCode::Input, text);
    }
    let mut list = image.names.iter().take(LISTED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if list.is_empty() {
        list.push_str("nothing that can be run");
    } else if image.names.len() > LISTED_MAX {
        let _ = write!(list, " and {} more", image.names.len() - LISTED_MAX);
    }
    fail(ErrorCode::NotFound, format!("no export {name}; it exports {list}"))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_image_entry(
    image: &Image,
    name: *const c_char,
    ret: &mut u32,
    err: *mut CErr,
) -> bool {
    unsafe {
        export(err, false, || {
            *ret = find_entry(image, &str_of(name))?;
            Ok(true)
        })
    }
}

//! Makes components for the tests: C bindings of a WIT package, and a component of a core module. What that module imports
//! of WASI preview 1, as all do that use the C library, goes through the adapter.
//!
//!     componentize bindings WIT WORLD FOLDER
//!     componentize component WIT WORLD MODULE.wasm COMPONENT.wasm

use anyhow::{Context, Result, bail};
use std::path::Path;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

fn world(wit: &str, name: &str) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some(name))?;
    Ok((resolve, world))
}

fn bindings(wit: &str, name: &str, folder: &str) -> Result<()> {
    let (mut resolve, world) = world(wit, name)?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    for (file, content) in files.iter() {
        std::fs::write(Path::new(folder).join(file), content)?;
    }
    Ok(())
}

fn component(wit: &str, name: &str, module: &str, to: &str) -> Result<()> {
    let (resolve, world) = world(wit, name)?;
    let mut wasm = std::fs::read(module).with_context(|| module.to_string())?;
    embed_component_metadata(&mut wasm, &resolve, world, StringEncoding::UTF8, false)?;
    let mut empty = ComponentEncoder::default();
    let mut encoder = empty.module(&wasm)?;
    // The adapter's WIT is WASI's, whole: it meets that of a package that has only parts, where it need not.
    let name = WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
    if wasm.windows(name.len()).any(|bytes| bytes == name.as_bytes()) {
        encoder = encoder.adapter(name, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?;
    }
    let encoded = encoder.validate(true).encode()?;
    Ok(std::fs::write(to, encoded)?)
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["bindings", wit, name, folder] => bindings(wit, name, folder),
        ["component", wit, name, module, to] => component(wit, name, module, to),
        _ => bail!("see src/main.rs"),
    }
}

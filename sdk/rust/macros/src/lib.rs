//! `#[mote::export]` and `#[derive(mote::Value)]`. They read so little of the language that no parser of it is needed.

use proc_macro::{Delimiter, TokenStream, TokenTree};

fn complaint(text: &str) -> TokenStream {
    format!("::core::compile_error!({text:?});").parse().unwrap()
}

fn is_word(tree: &TokenTree, word: &str) -> bool {
    matches!(tree, TokenTree::Ident(one) if one.to_string() == word)
}

fn is_mark(tree: &TokenTree, mark: char) -> bool {
    matches!(tree, TokenTree::Punct(one) if one.as_char() == mark)
}

/// Makes an entry of a component of a function, which a manifest names as `component#function`.
///
/// It takes nothing, or one thing that is an `Argument`: `Request` or `Socket`. It gives nothing, a `Response`, or a `Result` of
/// either. It may be `async`.
#[proc_macro_attribute]
pub fn export(_: TokenStream, item: TokenStream) -> TokenStream {
    let trees: Vec<TokenTree> = item.clone().into_iter().collect();
    let Some(at) = trees.iter().position(|tree| is_word(tree, "fn")) else {
        return complaint("mote::export is for functions");
    };
    let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(parameters))) = (trees.get(at + 1), trees.get(at + 2)) else {
        return complaint("mote::export is for functions without generics");
    };
    let argument = match parameters.stream().into_iter().filter(|tree| is_mark(tree, ':')).count() {
        0 => "",
        _ => "::mote::Argument::take()",
    };
    let call = format!("{name}({argument})");
    let call = match trees[..at].iter().any(|tree| is_word(tree, "async")) {
        true => format!("::mote::task::block_on({call})"),
        false => call,
    };
    let plain = name.to_string();
    let entry = format!(
        "const _: extern \"C\" fn() = {{
            #[cfg_attr(target_family = \"wasm\", unsafe(export_name = {plain:?}))]
            pub extern \"C\" fn entry() {{ ::mote::enter(|| {call}) }}
            entry
        }};"
    );
    let mut made = item;
    made.extend(entry.parse::<TokenStream>().unwrap());
    made
}

/// The names of a struct's fields.
fn fields_of(body: TokenStream) -> Vec<String> {
    let (mut names, mut depth, mut before_colon) = (Vec::new(), 0, true);
    let trees: Vec<TokenTree> = body.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Ident(name) if before_colon && trees.get(at + 1).is_some_and(|next| is_mark(next, ':')) => {
                names.push(name.to_string());
                before_colon = false;
            }
            TokenTree::Punct(mark) => match mark.as_char() {
                '<' => depth += 1,
                '>' => depth -= 1,
                ',' if depth == 0 => before_colon = true,
                _ => {}
            },
            _ => {}
        }
    }
    names
}

/// Makes a `Value` of a struct with names: a map by these. The struct has to be `Default`, too, which is what a field
/// has that is missing.
#[proc_macro_derive(Value)]
pub fn value(item: TokenStream) -> TokenStream {
    let trees: Vec<TokenTree> = item.into_iter().collect();
    let found = trees.iter().position(|tree| is_word(tree, "struct"));
    let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
        (found.and_then(|at| trees.get(at + 1)), found.and_then(|at| trees.get(at + 2)))
    else {
        return complaint("mote::Value is derived for structs with names and without generics");
    };
    if body.delimiter() != Delimiter::Brace {
        return complaint("mote::Value is derived for structs whose fields have names");
    }
    let names = fields_of(body.stream());
    let mut written = String::new();
    let mut read = String::new();
    for field in &names {
        let plain = field.strip_prefix("r#").unwrap_or(field);
        written += &format!("to.field({plain:?}, &self.{field});");
        read += &format!("{plain:?} => made.{field} = ::mote::Value::read(from)?,");
    }
    format!(
        "impl ::mote::Value for {name} {{
            fn write(&self, to: &mut ::mote::cbor::Writer) {{ to.map({count}, |to| {{ let _ = &to; {written} }}); }}
            fn read(from: &mut ::mote::cbor::Reader<'_>) -> ::mote::Result<Self> {{
                #[allow(unused_mut)] let mut made = <Self as ::core::default::Default>::default();
                from.record(|name, from| {{ match name {{ {read} _ => from.skip()?, }} Ok(()) }})?;
                Ok(made)
            }}
        }}",
        count = names.len()
    )
    .parse()
    .unwrap()
}

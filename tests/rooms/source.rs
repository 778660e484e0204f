//! Parses one file of a crate: what it defines, and which names of other files it uses.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, UseTree, Visibility};

/// A path from the root of the crate: `["csv", "Header"]` for `crate::csv::Header`.
pub(crate) type Path = Vec<String>;

/// What the text of a file says.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// The items that it defines.
    pub(crate) defines: BTreeSet<String>,
    /// The macros that it exports to the root of the crate.
    pub(crate) exports: BTreeSet<String>,
    /// Its child modules that are files of their own, and whether each is compiled for tests only.
    pub(crate) children: BTreeMap<String, bool>,
    /// The names that it imports or re-exports, and their paths.
    pub(crate) names: BTreeMap<String, Path>,
    /// Paths into its own crate that it uses itself.
    pub(crate) uses: BTreeSet<Path>,
    /// Paths that it re-exports with `pub use`.
    pub(crate) re_exports: BTreeSet<Path>,
}

impl Source {
    /// Parses the text of the module at the path `at`.
    pub(crate) fn parse(text: &str, at: &[String]) -> syn::Result<Self> {
        let file = syn::parse_file(text)?;
        let mut reader = Reader {
            at: at.to_vec(),
            nested: 0,
            source: Self::default(),
        };
        for item in &file.items {
            if let Item::Mod(item) = item
                && item.content.is_none()
            {
                let is_test = is_for_tests(&item.attrs);
                let known = reader.source.children.entry(item.ident.to_string());
                // A module that is declared twice, for two features, is for tests only if both declarations are.
                *known.or_insert(is_test) &= is_test;
            } else if let Some(name) = name_of(item) {
                reader.source.defines.insert(name);
            }
            if let Item::Macro(item) = item
                && let Some(name) = &item.ident
                && item
                    .attrs
                    .iter()
                    .any(|attribute| attribute.path().is_ident("macro_export"))
            {
                reader.source.exports.insert(name.to_string());
            }
        }
        reader.visit_file(&file);
        Ok(reader.source)
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Mod(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test") || path.is_ident("doctest"))
    })
}

struct Reader {
    at: Path,
    /// The number of inline modules around the current item.
    nested: usize,
    source: Source,
}

impl Reader {
    /// The path from the root of the crate; `None` for a path into another crate.
    fn resolve(&self, path: &[String]) -> Option<Path> {
        let mut base = self.at.clone();
        let mut nested = self.nested;
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => base.clear(),
            "self" => {}
            "super" => {}
            child if self.source.children.contains_key(child) && self.nested == 0 => {
                base.extend(path.iter().cloned());
                return Some(base);
            }
            _ => return None,
        }
        while let [first, after @ ..] = rest {
            match first.as_str() {
                "crate" | "self" => {}
                "super" if nested > 0 => nested -= 1,
                "super" => {
                    base.pop();
                }
                _ => break,
            }
            rest = after;
        }
        // An item of an inline module belongs to this file.
        (nested == 0 || path.first().is_some_and(|first| first == "crate")).then(|| {
            base.extend(rest.iter().cloned());
            base
        })
    }

    fn add_use(&mut self, path: &[String]) {
        if let Some(path) = self.resolve(path)
            && !path.is_empty()
        {
            self.source.uses.insert(path);
        }
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_item(&mut self, item: &'a Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        self.nested += 1;
        visit::visit_item_mod(self, item);
        self.nested -= 1;
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let mut leaves = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut leaves);
        for (path, name) in leaves {
            let Some(path) = self.resolve(&path) else { continue };
            if self.nested == 0 {
                self.source.names.insert(name, path.clone());
            }
            match item.vis {
                Visibility::Inherited => self.source.uses.insert(path),
                _ => self.source.re_exports.insert(path),
            };
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Path = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1 {
            self.add_use(&names);
        }
        visit::visit_path(self, path);
    }

    // The tokens of a macro call are not parsed: they are searched for paths.
    fn visit_macro(&mut self, item: &'a Macro) {
        let mut paths = Vec::new();
        paths_in(item.tokens.clone(), &mut paths);
        for path in paths {
            self.add_use(&path);
        }
        visit::visit_macro(self, item);
    }
}

/// Collects the paths of a `use` tree, each with the name under which it is imported.
fn flatten(tree: &UseTree, before: &mut Path, leaves: &mut Vec<(Path, String)>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, leaves);
            before.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, leaves)),
        UseTree::Glob(_) => leaves.push((before.clone(), "*".to_owned())),
        UseTree::Name(name) if name.ident == "self" => {
            leaves.push((before.clone(), before.last().cloned().unwrap_or_default()));
        }
        UseTree::Name(name) => leaves.push((
            [before.as_slice(), &[name.ident.to_string()]].concat(),
            name.ident.to_string(),
        )),
        UseTree::Rename(name) => {
            leaves.push((
                [before.as_slice(), &[name.ident.to_string()]].concat(),
                name.rename.to_string(),
            ));
        }
    }
}

/// Collects the paths with at least two segments among the tokens.
fn paths_in(tokens: TokenStream, paths: &mut Vec<Path>) {
    let mut path = Path::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Ident(name) if colons == 2 && !path.is_empty() => {
                path.push(name.to_string());
                colons = 0;
            }
            token => {
                end_path(&mut path, paths);
                colons = 0;
                match token {
                    TokenTree::Ident(name) => path.push(name.to_string()),
                    TokenTree::Group(group) => paths_in(group.stream(), paths),
                    _ => {}
                }
            }
        }
    }
    end_path(&mut path, paths);
}

fn end_path(path: &mut Path, paths: &mut Vec<Path>) {
    let path = std::mem::take(path);
    if path.len() > 1 {
        paths.push(path);
    }
}

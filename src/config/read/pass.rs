//! One pass over a document: what it may look up, and what it finds out.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::place::Place;
use crate::config::{
    environment::{Caller, Variables},
    fault::{Fault, Source},
    files::{Found, Needed},
    interpolate::{self, Unresolved},
    suggest::suggest_or_list,
    template::{self, Dialect},
    text::Text,
};

/// The state of a pass.
pub(in crate::config) struct Pass<'a> {
    pub(in crate::config) source: &'a Arc<Source>,
    pub(in crate::config) variables: &'a Variables,
    pub(in crate::config) caller: Caller,
    /// What relative paths are relative to.
    pub(in crate::config) root: &'a Path,
    pub(in crate::config) home: Option<PathBuf>,
    faults: Vec<Fault>,
    places: BTreeMap<Place, Spans>,
    /// Where the items of a list stand, those at fault left out.
    items: BTreeMap<Place, Vec<Place>>,
    references: Vec<(Kind, String, Place)>,
    needed: Vec<(Needed, Place)>,
    missing: BTreeMap<String, Vec<Missing>>,
    /// Values in which a secret is written out.
    hidden: BTreeMap<Place, Range<usize>>,
}

/// What a name in the file may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Kind {
    Base,
    Job,
    Service,
    Volume,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Job => "job",
            Self::Service => "service",
            Self::Volume => "volume",
        }
    }

    /// The table whose keys are the names.
    fn table(self) -> Place {
        match self {
            Self::Base => Place::of(["bases", "images"]),
            Self::Job => Place::of(["jobs"]),
            Self::Service => Place::of(["services"]),
            Self::Volume => Place::of(["volumes"]),
        }
    }
}

/// Bytes of a key and of its value. Items of an array have no key.
#[derive(Debug, Clone)]
struct Spans {
    key: Option<Range<usize>>,
    value: Range<usize>,
}

#[derive(Debug)]
struct Missing {
    span: Range<usize>,
    empty: bool,
    message: Option<String>,
}

impl<'a> Pass<'a> {
    pub(in crate::config) fn new(
        source: &'a Arc<Source>,
        variables: &'a Variables,
        caller: Caller,
        root: &'a Path,
        home: Option<PathBuf>,
    ) -> Self {
        Self {
            source,
            variables,
            caller,
            root,
            home,
            faults: Vec::new(),
            places: BTreeMap::new(),
            items: BTreeMap::new(),
            references: Vec::new(),
            needed: Vec::new(),
            missing: BTreeMap::new(),
            hidden: BTreeMap::new(),
        }
    }

    /// Notes a fault at these bytes.
    pub(in crate::config) fn fault(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.faults
            .push(Fault::new(self.source, span, message).maybe_hint(hint));
    }

    /// Notes a fault of the value at a place; of what is around it, where nothing was written.
    pub(in crate::config) fn fault_at(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let span = self
            .nearest(place)
            .map_or(0..0, |spans| spans.value.clone());
        self.fault(span, message, Some(hint.into()));
    }

    /// Notes a fault of the key at a place; of what is around it, where nothing was written.
    pub(in crate::config) fn fault_of(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let span = self.nearest(place).map_or(0..0, |spans| {
            spans.key.clone().unwrap_or_else(|| spans.value.clone())
        });
        self.fault(span, message, Some(hint.into()));
    }

    /// Remembers that a secret is written out in the value at a place.
    pub(in crate::config) fn hide(&mut self, place: &Place, value: Range<usize>) {
        self.hidden.insert(place.clone(), value);
    }

    /// Values in which a secret is written out.
    pub(in crate::config) fn hidden(&self) -> &BTreeMap<Place, Range<usize>> {
        &self.hidden
    }

    /// Whether something was written at a place.
    pub(in crate::config) fn has(&self, place: &Place) -> bool {
        self.places.contains_key(place)
    }

    /// Line of the value at a place, counted from 1.
    pub(in crate::config) fn line(&self, place: &Place) -> usize {
        self.nearest(place)
            .map_or(1, |spans| self.source.position(spans.value.start).0)
    }

    /// Remembers where something stands.
    pub(in crate::config) fn visit(
        &mut self,
        place: Place,
        key: Option<Range<usize>>,
        value: Range<usize>,
    ) {
        self.places.insert(place, Spans { key, value });
    }

    /// Remembers where the items of a list stand that were read.
    pub(super) fn visit_items(&mut self, list: Place, items: Vec<Place>) {
        self.items.insert(list, items);
    }

    /// Where the nth item that was read of a list stands.
    pub(in crate::config) fn item(&self, list: &Place, nth: usize) -> Place {
        let place = self.items.get(list).and_then(|items| items.get(nth));
        place.cloned().unwrap_or_else(|| list.index(nth))
    }

    /// Remembers that a name stands at a place, to be looked up when everything is read.
    pub(in crate::config) fn refer(&mut self, kind: Kind, name: &str, place: &Place) {
        self.references.push((kind, name.to_owned(), place.clone()));
    }

    /// Remembers that something must be on disk, because of what stands at a place.
    pub(in crate::config) fn need(&mut self, needed: Needed, place: &Place) {
        self.needed.push((needed, place.clone()));
    }

    /// Notes everything needed that `look` does not find.
    pub(in crate::config) fn check_files(&mut self, look: impl Fn(&Path) -> Found) {
        for (needed, place) in std::mem::take(&mut self.needed) {
            if let Some((message, hint)) = needed.complaint(self.root, &look) {
                self.fault_at(&place, message, hint);
            }
        }
    }

    /// Whether the file has an entry of this name, at fault or not.
    pub(in crate::config) fn defines(&self, kind: Kind, name: &str) -> bool {
        self.has(&kind.table().key(name))
    }

    /// Notes every reference to something the file does not have.
    pub(in crate::config) fn check_references(&mut self) {
        for (kind, name, place) in std::mem::take(&mut self.references) {
            if self.defines(kind, &name) {
                continue;
            }
            let table = kind.table();
            let known: Vec<String> = self
                .places
                .keys()
                .filter(|place| place.parent().as_ref() == Some(&table))
                .map(|place| place.last_key().to_owned())
                .collect();
            let none = format!("add [{}]", table.key(&name));
            let hint = suggest_or_list(&name, known.iter().map(String::as_str), &none);
            self.fault_at(
                &place,
                format!("there is no {} `{name}`", kind.noun()),
                hint,
            );
        }
    }

    /// Text with its references resolved; `None` when some lead nowhere.
    pub(super) fn interpolate(
        &mut self,
        text: &str,
        place: &Place,
        span: &Range<usize>,
        late: bool,
    ) -> Option<Text> {
        // Without escapes the text stands in the file as it is, and a part of it can be pointed at.
        let offset = self
            .source
            .text()
            .get(span.clone())
            .and_then(|raw| raw.find(text));
        let inside = |part: Range<usize>| match offset {
            Some(offset) => span.start + offset + part.start..span.start + offset + part.end,
            None => span.clone(),
        };
        let pieces = match template::parse(text, Dialect::Strict) {
            Ok(pieces) => pieces,
            Err(faults) => {
                for fault in faults {
                    self.fault(inside(fault.span), fault.message, Some(fault.hint));
                }
                return None;
            }
        };
        if interpolate::writes_secret_out(&pieces, self.variables) {
            self.hide(place, span.clone());
        }
        match interpolate::resolve(&pieces, self.variables, late) {
            Ok(text) => Some(text),
            Err(unresolved) => {
                for reference in unresolved {
                    match reference {
                        Unresolved::Wrong {
                            message,
                            hint,
                            span,
                        } => {
                            self.fault(inside(span), message, Some(hint));
                        }
                        Unresolved::Missing {
                            name,
                            empty,
                            message,
                            span,
                        } => {
                            let span = inside(span);
                            self.missing.entry(name).or_default().push(Missing {
                                span,
                                empty,
                                message,
                            });
                        }
                    }
                }
                None
            }
        }
    }

    /// The faults found. A variable that is missing at several places is one fault.
    pub(in crate::config) fn finish(mut self) -> Vec<Fault> {
        for (name, mut missing) in std::mem::take(&mut self.missing) {
            missing.sort_by_key(|missing| missing.span.start);
            // The place whose author said what to do speaks for all.
            let speaker = missing
                .iter()
                .position(|missing| missing.message.is_some())
                .unwrap_or(0);
            let speaker = missing.remove(speaker);
            let what = if speaker.empty {
                "is empty"
            } else {
                "is not set"
            };
            let mut hint = speaker.message.clone().unwrap_or_else(|| {
                format!("write {name}=… into .env, or give it a default: ${{{name}:-…}}")
            });
            let line = |missing: &Missing| self.source.position(missing.span.start).0;
            let mut lines: Vec<usize> = missing.iter().map(line).collect();
            lines.dedup();
            lines.retain(|other| *other != line(&speaker));
            let lines: Vec<String> = lines.iter().map(usize::to_string).collect();
            match lines.as_slice() {
                [] => {}
                [one] => hint = format!("{hint} (line {one} needs it too)"),
                several => hint = format!("{hint} (lines {} need it too)", several.join(", ")),
            }
            self.fault(
                speaker.span,
                format!("variable `{name}` {what}"),
                Some(hint),
            );
        }
        self.faults
    }

    fn nearest(&self, place: &Place) -> Option<&Spans> {
        match self.places.get(place) {
            Some(spans) => Some(spans),
            None => self.nearest(&place.parent()?),
        }
    }
}

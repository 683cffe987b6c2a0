use std::collections::BTreeMap;

use wordhoard_model::TokenKind;

/// Which blocks of an answer are open, for the dialects that stream it in numbered blocks: at most one of text or
/// reasoning, and beside it any number of tool calls, of which the fragments may come in turn.
#[derive(Debug, Default)]
pub(crate) struct OpenBlocks {
    next: u64,
    current: Option<OpenBlock>,
    calls: BTreeMap<u64, u64>,
}

/// An open block of text or reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenBlock {
    /// What it holds.
    pub(crate) kind: TokenKind,
    /// Its number in the answer.
    pub(crate) index: u64,
}

/// What has to be written before a piece can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entered {
    /// The block that ends before it.
    pub(crate) closed: Option<OpenBlock>,
    /// The block that it goes into.
    pub(crate) index: u64,
    /// Whether that block begins with it.
    pub(crate) is_new: bool,
}

impl OpenBlocks {
    /// Enters the block for a piece of that kind.
    pub(crate) fn enter(&mut self, kind: TokenKind) -> Entered {
        match self.current {
            Some(open) if open.kind == kind => Entered { closed: None, index: open.index, is_new: false },
            _ => {
                let closed = self.current.take();
                let index = self.number();
                self.current = Some(OpenBlock { kind, index });
                Entered { closed, index, is_new: true }
            }
        }
    }

    /// Enters the block of a tool call. It stays open beside what comes after it.
    pub(crate) fn enter_call(&mut self, call: u64) -> Entered {
        let closed = self.current.take();
        match self.calls.get(&call) {
            Some(index) => Entered { closed, index: *index, is_new: false },
            None => {
                let index = self.number();
                self.calls.insert(call, index);
                Entered { closed, index, is_new: true }
            }
        }
    }

    /// The open block of text or reasoning.
    pub(crate) fn current(&self) -> Option<OpenBlock> {
        self.current
    }

    /// Closes the block of text or reasoning.
    pub(crate) fn close_current(&mut self) -> Option<OpenBlock> {
        self.current.take()
    }

    /// Closes the tool calls, and gives the numbers of their blocks.
    pub(crate) fn close_calls(&mut self) -> impl Iterator<Item = u64> + use<> {
        std::mem::take(&mut self.calls).into_values()
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

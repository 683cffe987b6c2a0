use wordhoard_model::TokenKind;

/// Which block of an answer is open, for the dialects that stream it in numbered blocks: one after the other.
#[derive(Debug, Default)]
pub(crate) struct OpenBlocks {
    next: u64,
    current: Option<OpenBlock>,
}

/// An open block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenBlock {
    /// What it holds.
    pub(crate) kind: TokenKind,
    /// Of a call of a tool, which.
    pub(crate) call: Option<u64>,
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
        self.enter_block(kind, None)
    }

    /// Enters the block of a call of a tool.
    pub(crate) fn enter_call(&mut self, call: u64) -> Entered {
        self.enter_block(TokenKind::ToolCall, Some(call))
    }

    /// Takes a number for a block that ends as it begins.
    pub(crate) fn enter_alone(&mut self) -> Entered {
        let closed = self.current.take();
        let index = self.number();
        Entered { closed, index, is_new: true }
    }

    /// Closes the open block.
    pub(crate) fn close_current(&mut self) -> Option<OpenBlock> {
        self.current.take()
    }

    fn enter_block(&mut self, kind: TokenKind, call: Option<u64>) -> Entered {
        match self.current {
            Some(open) if open.kind == kind && open.call == call => {
                Entered { closed: None, index: open.index, is_new: false }
            }
            _ => {
                let entered = self.enter_alone();
                self.current = Some(OpenBlock { kind, call, index: entered.index });
                entered
            }
        }
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

use std::cell::RefCell;
use std::collections::BTreeSet;

use wordhoard_model::{Capabilities, Conversation, ResponseFormat, Tool};

/// What a provider is asked.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The provider's name for the model.
    pub model: &'a str,
    /// What it shall answer.
    pub conversation: &'a Conversation,
    /// The beginning of its answer, where it shall go on from one; never empty. The way to ask for it is that of
    /// [`Capabilities::prefill`].
    pub answer_so_far: Option<&'a str>,
    /// Whether the answer shall come as a stream.
    pub stream: bool,
    /// What the model can do.
    pub capabilities: &'a Capabilities,
    /// What happens to a field that the dialect or the model cannot honour.
    pub unsupported: Unsupported,
    /// Where the fields are noted that are left out, if somebody wants to know.
    pub left_out: Option<&'a LeftOut>,
}

/// The names of the fields that a request goes without, because they were to be dropped.
#[derive(Debug, Default)]
pub struct LeftOut(RefCell<BTreeSet<String>>);

impl LeftOut {
    /// The names, in the chat dialect.
    pub fn into_names(self) -> BTreeSet<String> {
        self.0.into_inner()
    }
}

/// What happens to a field of a request that the target cannot honour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsupported {
    /// The request is refused, and the field named.
    #[default]
    Refuse,
    /// The field is left out.
    Drop,
}

/// A field that the target cannot honour.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct CannotHonour {
    /// The field, by its name in the chat dialect.
    pub field: String,
    /// Why not.
    pub problem: String,
}

impl<'a> Ask<'a> {
    /// A conversation as the fields of a dialect, asked of no model.
    pub(crate) fn of_nobody(
        conversation: &'a Conversation,
        capabilities: &'a Capabilities,
        unsupported: Unsupported,
    ) -> Self {
        let left_out = None;
        Self {
            model: "",
            conversation,
            answer_so_far: None,
            stream: false,
            capabilities,
            unsupported,
            left_out,
        }
    }

    /// Refuses a field that the target cannot honour, or lets it be left out.
    ///
    /// # Errors
    /// Names the field, where it is to be refused.
    pub fn leave_out(&self, field: &str, problem: &str) -> Result<(), CannotHonour> {
        match self.unsupported {
            Unsupported::Refuse => Err(CannotHonour { field: field.to_owned(), problem: problem.to_owned() }),
            Unsupported::Drop => {
                if let Some(LeftOut(names)) = self.left_out {
                    names.borrow_mut().insert(field.to_owned());
                }
                Ok(())
            }
        }
    }

    /// Refuses what has no place in a conversation, or lets it be left out.
    ///
    /// # Errors
    /// The first such part, where such are refused.
    pub(crate) fn check_placed(&self) -> Result<(), CannotHonour> {
        let mut unplaced = self.conversation.unplaced.iter();
        unplaced.try_for_each(|unplaced| self.leave_out(&unplaced.field, &unplaced.problem))
    }

    /// The tools to offer: none where the model cannot call any and that is passed over.
    ///
    /// # Errors
    /// Where it cannot, and that is refused.
    pub fn tools(&self) -> Result<&'a [Tool], CannotHonour> {
        let tools = &self.conversation.tools;
        if tools.is_empty() || self.capabilities.tools {
            return Ok(tools);
        }
        self.leave_out("tools", "cannot be offered: the model cannot call tools")?;
        Ok(&[])
    }

    /// The form that the answer shall have.
    ///
    /// # Errors
    /// Where the model does not keep to schemas, and that is refused.
    pub fn response_format(&self) -> Result<Option<&'a ResponseFormat>, CannotHonour> {
        let format = self.conversation.response_format.as_ref();
        if self.capabilities.json_schema || !matches!(format, Some(ResponseFormat::JsonSchema { .. })) {
            return Ok(format);
        }
        self.leave_out("response_format", "cannot be kept to: the model knows no JSON schemas")?;
        Ok(None)
    }

    /// Whether an image goes along.
    ///
    /// # Errors
    /// Where the model takes none, and that is refused.
    pub fn takes_images(&self) -> Result<bool, CannotHonour> {
        if !self.capabilities.images {
            self.leave_out("messages", "hold an image, which the model does not take")?;
        }
        Ok(self.capabilities.images)
    }

    /// Checks that every field of [`Conversation::further`] is one of those that the dialect honours.
    ///
    /// # Errors
    /// The first other one, where such are refused.
    pub fn check_further(&self, dialect: &str, honoured: &[&str]) -> Result<(), CannotHonour> {
        // The old and the new name of the limit are one field of the conversation.
        let known = |name: &str| honoured.contains(&name) || name == "max_completion_tokens";
        let problem = format!("has no counterpart in {dialect}");
        let mut others = self.conversation.further.keys().filter(|name| !known(name));
        others.try_for_each(|name| self.leave_out(name, &problem))
    }

    /// Checks that a field which the dialect cannot honour was not given.
    ///
    /// # Errors
    /// Where it was, and such are refused.
    pub fn check_absent(&self, dialect: &str, name: &str, is_given: bool) -> Result<(), CannotHonour> {
        if !is_given {
            return Ok(());
        }
        self.leave_out(name, &format!("has no counterpart in {dialect}"))
    }
}

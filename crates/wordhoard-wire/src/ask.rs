use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;
use wordhoard_model::{Capabilities, Conversation, Loss, Part, ResponseFormat, Tool, ToolChoice};

use crate::field_kind;

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

/// The names of the fields that a request goes without, or in another form: hints that the target has no place for, and
/// what it cannot honour where that is dropped.
#[derive(Debug, Default)]
pub struct LeftOut(RefCell<BTreeSet<String>>);

impl LeftOut {
    /// The names, in the chat dialect or the client's own.
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

/// A field that the target cannot honour. The message names the setting that lets it pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}; with unsupported = \"drop\" at the provider it is left out")]
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
                self.list(field);
                Ok(())
            }
        }
    }

    /// Lists a field that the request goes without, or that it has in another form.
    pub(crate) fn list(&self, field: &str) {
        if let Some(LeftOut(names)) = self.left_out {
            names.borrow_mut().insert(field.to_owned());
        }
    }

    /// Lists the hints that have no place in a conversation, and refuses what else has none, or lets it be left out.
    ///
    /// # Errors
    /// The first part that changes the meaning of the request, where such are refused.
    pub(crate) fn check_placed(&self) -> Result<(), CannotHonour> {
        let mut unplaced = self.conversation.unplaced.iter();
        unplaced.try_for_each(|unplaced| self.lose(&unplaced.field, &unplaced.loss))
    }

    /// Settles a field that the target has nothing like: as a hint it is listed, as more it is refused.
    ///
    /// # Errors
    /// Where it changes the meaning of the request, and such is refused.
    pub(crate) fn settle(&self, dialect: &str, name: &str, value: &Value) -> Result<(), CannotHonour> {
        match field_kind::loss_of(name, value, dialect) {
            None => Ok(()),
            Some(loss) => self.lose(name, &loss),
        }
    }

    fn lose(&self, field: &str, loss: &Loss) -> Result<(), CannotHonour> {
        match loss {
            Loss::Hint => {
                self.list(field);
                Ok(())
            }
            Loss::Meaning(problem) => self.leave_out(field, problem),
        }
    }

    /// The tools to offer: none where the model cannot call any. An offer is a hint, unless the model has to call one.
    ///
    /// # Errors
    /// Where it has to call one and cannot, and that is refused.
    pub fn tools(&self) -> Result<&'a [Tool], CannotHonour> {
        let tools = &self.conversation.tools;
        if tools.is_empty() || self.capabilities.tools {
            return Ok(tools);
        }
        self.list("tools");
        if matches!(self.conversation.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_))) {
            self.leave_out("tool_choice", "asks for a call of a tool, and the model cannot call tools")?;
        }
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

    /// The result of a tool, of which the text says that the tool failed, for dialects that have no field for it.
    pub(crate) fn told_as_error(&self, parts: &'a [Part], is_error: bool) -> Cow<'a, [Part]> {
        if !is_error {
            return Cow::Borrowed(parts);
        }
        self.list("tool_result.is_error");
        let mark = Part::Text("Error: ".to_owned());
        Cow::Owned(std::iter::once(mark).chain(parts.iter().cloned()).collect())
    }

    /// Settles every field of [`Conversation::further`] that is none of those which the dialect honours.
    ///
    /// # Errors
    /// The first that changes the meaning of the request, where such are refused.
    pub fn settle_further(&self, dialect: &str, honoured: &[&str]) -> Result<(), CannotHonour> {
        // The old and the new name of the limit are one field of the conversation.
        let known = |name: &str| honoured.contains(&name) || name == "max_completion_tokens";
        let mut others = self.conversation.further.iter().filter(|(name, _)| !known(name));
        others.try_for_each(|(name, value)| self.settle(dialect, name, value))
    }

    /// Settles a number that the dialect has no field for.
    ///
    /// # Errors
    /// Where it changes the meaning of the request, and such is refused.
    pub fn settle_number(
        &self,
        dialect: &str,
        name: &str,
        value: Option<impl Into<Value>>,
    ) -> Result<(), CannotHonour> {
        match value {
            Some(value) => self.settle(dialect, name, &value.into()),
            None => Ok(()),
        }
    }
}

//! The figures: what they count, who can read them, and what is made of them.

mod counting;
mod page;
mod promtool;
mod rules;

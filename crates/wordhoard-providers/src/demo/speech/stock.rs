//! The sentences. `{}` stands for a word of the prompt.

pub(super) const OPENINGS: &[&str] = &[
    "You asked about {} and {}, so here is the short of it.",
    "On {}: it depends, but less than people think.",
    "Good question. With {}, most of the answer is in {}.",
    "Let us take {} first, and {} after it.",
];

pub(super) const BODIES: &[&str] = &[
    "Start with {}, for nothing holds without it.",
    "Whoever neglects {} pays for it later, usually on a Friday.",
    "There is a simple way to handle {}: write it down, then do less of it.",
    "In practice, {} and {} pull in opposite directions.",
    "A small test of {} tells more than a long talk about {}.",
    "If {} fails, fail early and say why.",
    "Keep {} apart from {}, and both stay simple.",
    "What looks like a problem of {} is often one of {}.",
    "Measure {} before you change it.",
];

pub(super) const CLOSINGS: &[&str] = &[
    "That is what I know about {}.",
    "So: {} first, the rest follows.",
    "Ask again about {} if that was too short.",
    "I am only a demo, but about {} I am quite sure.",
];

pub(super) const REASONING: &[&str] = &[
    "The question turns on {}.",
    "First I should separate {} from {}.",
    "One could object that {} is not the point at all.",
    "Still, leaving {} out would make the answer wrong.",
    "I will weigh {} against {}, then say what I would do.",
];

pub(super) const LINES: &[&str] = &[
    "O {}, thou pale and patient light,",
    "The sea of {} rolls wide and deep,",
    "I sang of {} half the night,",
    "While {} murmured in its sleep.",
    "Let {} rise and {} fall,",
    "The wind knows {} best of all,",
    "And so the word of {} is kept,",
    "Where once the keepers of it slept.",
];

pub(super) const TERSE: &[&str] = &["{}? Yes.", "No. Try {}.", "{}, and nothing else.", "It depends on {}."];

/// Words that tell nothing about a prompt.
pub(super) const COMMON_WORDS: &[&str] = &[
    "about", "after", "also", "been", "before", "could", "does", "each", "from", "give", "have", "here",
    "into", "just", "like", "make", "more", "most", "much", "only", "other", "over", "please", "should",
    "some", "such", "tell", "than", "that", "their", "them", "then", "there", "these", "they", "this",
    "those", "very", "want", "were", "what", "when", "where", "which", "while", "will", "with", "would",
    "write", "your",
];

/// A model of the demo provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoModel {
    /// Its name, the part after the colon in `demo:brisk`.
    pub name: &'static str,
    /// What it is like, in one line.
    pub description: &'static str,
    /// How fast it answers; 0 is all at once.
    pub tokens_per_second: u32,
}

/// The models, the most useful first.
///
/// The same prompt, parameters included, gets the same answer. All but `flaky` follow `[demo tokens=N rate=R]` anywhere
/// in the prompt: exactly N tokens (at most 100,000) at R a second (at most 10,000; 0 is as fast as can be).
pub const MODELS: &[DemoModel] = &[
    DemoModel { name: "brisk", description: "Short and quick, to the point.", tokens_per_second: 60 },
    DemoModel {
        name: "thoughtful",
        description: "Shows its reasoning first, then answers at length.",
        tokens_per_second: 25,
    },
    DemoModel { name: "bard", description: "Answers in verse, without hurry.", tokens_per_second: 15 },
    DemoModel { name: "terse", description: "A few words, all at once.", tokens_per_second: 0 },
    DemoModel {
        name: "flaky",
        description: "Fails on request: [flaky MODE after=N], or as it likes.",
        tokens_per_second: 40,
    },
];

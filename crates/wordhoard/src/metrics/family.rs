use wordhoard_engine::metrics::Reading;

/// What a figure does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, until the server starts anew.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often something took how long.
    Histogram,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Figures of one name.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) samples: Vec<Sample>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) value: Value,
}

/// What it is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number(f64),
    Histogram(Reading),
}

impl Family {
    /// Its name has to end in `_total`.
    pub(super) fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: Kind::Counter, samples: Vec::new() }
    }

    pub(super) fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: Kind::Gauge, samples: Vec::new() }
    }

    /// Its name has to end in its unit, `_seconds`.
    pub(super) fn histogram(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: Kind::Histogram, samples: Vec::new() }
    }

    /// The one figure of this name.
    pub(super) fn number(mut self, value: f64) -> Self {
        self.add(&[], value);
        self
    }

    /// The one figure of this name, where it is known.
    pub(super) fn known(self, value: Option<f64>) -> Self {
        match value {
            Some(value) => self.number(value),
            None => self,
        }
    }

    /// 1 for the state that holds, 0 for all others, so that a change is seen in each.
    pub(super) fn one_of(mut self, states: &[&str], holds: &str, of: &[(&'static str, &str)]) -> Self {
        for state in states {
            let labels: Vec<_> = of.iter().copied().chain([("state", *state)]).collect();
            self.add(&labels, f64::from(u8::from(*state == holds)));
        }
        self
    }

    pub(super) fn add(&mut self, labels: &[(&'static str, &str)], value: f64) {
        self.push(labels, Value::Number(value));
    }

    pub(super) fn add_histogram(&mut self, labels: &[(&'static str, &str)], reading: Reading) {
        self.push(labels, Value::Histogram(reading));
    }

    fn push(&mut self, labels: &[(&'static str, &str)], value: Value) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.samples.push(Sample { labels, value });
    }
}

//! What a caller gets, and what a provider sees, where a provider fails and a healthy one stands behind it.

mod accounting;
mod before_the_answer;
mod budget;
mod dialects;
mod hostile;
mod in_the_answer;
mod outage;
mod overload;
mod restart;
mod scene;

//! The misbehaving provider as a process of its own: `mock-provider [--listen ADDRESS]`.
//!
//! Prints its base URL on the first line, then runs until it is killed.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;

use wordhoard_testkit::provider::MisbehavingProvider;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => "127.0.0.1:0".parse()?,
        (Some("--listen"), Some(address)) => address.parse()?,
        _ => return Err("usage: mock-provider [--listen ADDRESS]".into()),
    };
    let provider = MisbehavingProvider::start_on(address)?;
    writeln!(std::io::stdout(), "{}", provider.base_url())?;
    std::io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}

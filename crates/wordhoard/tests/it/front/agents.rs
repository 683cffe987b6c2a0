//! Coding agents with their default settings, each over a provider of each dialect: a task of three turns, with reasoning and two
//! calls of tools at once in each of the first two. What only the shell can print stands in the last answer.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use wordhoard_testkit::provider::{MisbehavingProvider, ReceivedCall};
use wordhoard_testkit::server::ServerHome;

use super::DIALECTS;
use crate::EXE;

const TASK: &str = "Print some words with your shell tool, and tell me what it prints.";
/// Of the build; agents look for the shell and node in it.
const PATH: &str = env!("PATH");
const DONE: &str = "The shell said hoard-42, trove-55, chest-66, vault-77.";
/// The models that Codex asks by default, and Claude Code: for the task, and for what stands beside it.
const CODEX_MODELS: [&str; 1] = ["gpt-6.2-sol"];
const CLAUDE_MODELS: [&str; 1] = ["claude-opus-4-8"];
const CLAUDE_SMALL_MODELS: [&str; 1] = ["claude-haiku-4-5-20251001"];

#[derive(Clone, Copy, Debug)]
enum Agent {
    Codex,
    ClaudeCode,
}

/// A server in front of one provider whose model behaves so, and an agent with a home of its own.
struct Scene {
    agent: Agent,
    mock: MisbehavingProvider,
    home: ServerHome,
    address: SocketAddr,
    agents_home: tempfile::TempDir,
}

impl Scene {
    fn new(agent: Agent, dialect: &str, behaviour: &str) -> Self {
        let mock = MisbehavingProvider::start().unwrap();
        let alias = |name: &&str, model: &str| format!("{name:?} = \"provider:{model}\"\n");
        let aliases: String = match agent {
            Agent::Codex => CODEX_MODELS.iter().map(|name| alias(name, behaviour)).collect(),
            Agent::ClaudeCode => {
                let large = CLAUDE_MODELS.iter().map(|name| alias(name, behaviour));
                large.chain(CLAUDE_SMALL_MODELS.iter().map(|name| alias(name, "agent"))).collect()
            }
        };
        let config = format!(
            "[aliases]\n{aliases}\n[[providers]]\nname = \"provider\"\ndialect = {dialect:?}\nbase_url = {:?}\nallow_private = true\n",
            mock.base_url()
        );
        let mut home = ServerHome::new(EXE, &config).unwrap();
        // The agent comes back to the same address after a restart.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        home.listen_on(address);
        Self {
            agent,
            mock,
            home,
            address,
            agents_home: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
        }
    }

    fn command(&self) -> Command {
        let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-node/node_modules/.bin");
        let (home, url) = (self.agents_home.path(), format!("http://{}", self.address));
        let mut command = match self.agent {
            Agent::Codex => {
                let mut codex = Command::new(bin.join("codex"));
                let provider = format!(
                    r#"model_providers.hoard={{name="hoard",base_url="{url}/v1",env_key="HOARD_KEY",wire_api="responses"}}"#
                );
                codex.args(["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]);
                codex.args(["-c", "model_provider=hoard", "-c", &provider, TASK]);
                codex
            }
            Agent::ClaudeCode => {
                let mut claude = Command::new(bin.join("claude"));
                claude.args(["-p", "--allowedTools=Bash", "--output-format", "text", TASK]);
                claude
            }
        };
        command.env_clear().env("PATH", PATH).env("TERM", "dumb");
        command.env("HOME", home).env("CODEX_HOME", home).env("HOARD_KEY", "sk-any");
        command.env("ANTHROPIC_BASE_URL", url).env("ANTHROPIC_API_KEY", "sk-any").env("IS_SANDBOX", "1");
        command.current_dir(home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Calls of the task, not of what stands beside it.
    fn calls(&self) -> Vec<ReceivedCall> {
        self.mock
            .calls()
            .into_iter()
            .filter(|call| call.body.to_string().contains(TASK) && !is_aside(call))
            .collect()
    }
}

/// A call without tools is for a title and the like.
fn is_aside(call: &ReceivedCall) -> bool {
    call.body["tools"].as_array().is_none_or(Vec::is_empty)
        && !call.body.to_string().contains("additional_tools")
}

/// What is wrong with how the task went.
fn problem(scene: &Scene, dialect: &str, output: &Output, calls: usize) -> Option<String> {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, log) = (said(&output.stdout), said(&output.stderr));
    let made = scene.calls().len();
    let is_done = output.status.success() && out.contains(DONE);
    (!is_done || made != calls).then(|| {
        let agent = scene.agent;
        format!("{agent:?} over {dialect}: done: {is_done}, {made} calls of a provider instead of {calls}: {out}\n{log}\n")
    })
}

/// Runs each of the agents over each dialect; all that went wrong is told at once.
fn over_each_dialect(agents: &[Agent], behaviour: &str, calls: usize, run: impl Fn(&Scene) -> Output) {
    let mut problems = Vec::new();
    for agent in agents {
        for dialect in DIALECTS {
            let scene = Scene::new(*agent, dialect, behaviour);
            let started = Instant::now();
            let output = run(&scene);
            println!("{agent:?} over {dialect}: {behaviour} in {:?}", started.elapsed());
            problems.extend(problem(&scene, dialect, &output, calls));
        }
    }
    assert!(problems.is_empty(), "{}", problems.concat());
}

fn undisturbed(scene: &Scene) -> Output {
    let _server = scene.home.start().unwrap();
    scene.command().spawn().unwrap().wait_with_output().unwrap()
}

#[test]
fn a_task_of_three_turns_is_done_with_a_call_each() {
    over_each_dialect(&[Agent::Codex, Agent::ClaudeCode], "agent", 3, undisturbed);
}

#[test]
fn a_turn_that_the_provider_cuts_costs_one_call_more() {
    over_each_dialect(&[Agent::Codex, Agent::ClaudeCode], "seq:agent-cut|agent", 6, undisturbed);
}

/// The last turn is cut by `kill -9` of the server: with Codex in the middle of its text. Claude Code asks again only where it has got
/// nothing yet; later it says that the answer may not be whole.
#[test]
fn a_turn_that_a_crash_cuts_costs_one_call_more() {
    let crash_in_the_last_turn = |scene: &Scene| {
        let server = scene.home.start().unwrap();
        let running = scene.command().spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while scene.calls().len() < 3 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(700));
        server.kill_9().unwrap();
        let _server = scene.home.start().unwrap();
        running.wait_with_output().unwrap()
    };
    over_each_dialect(&[Agent::Codex], "seq:agent-paced|agent", 4, crash_in_the_last_turn);
    over_each_dialect(&[Agent::ClaudeCode], "seq:agent-late|agent", 4, crash_in_the_last_turn);
}

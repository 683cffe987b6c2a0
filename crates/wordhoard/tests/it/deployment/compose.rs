//! The image and the composition.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::Value;
use wordhoard_testkit::test_venv;

use super::{repository, run};

/// Parses and checks a composition, and prints it as JSON.
const PARSE: &str = "
import json, sys
from compose_spec import PyOptions
options = PyOptions()
options.apply_merge = True
composition = options.from_yaml(sys.stdin.read())
composition.validate()
composition.to_spec()
print(json.dumps(composition.to_dict()))
";

fn parse(yaml: &str) -> Result<Value, String> {
    let mut command = Command::new(test_venv().unwrap().join("bin/python"));
    command.args(["-c", PARSE]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), yaml.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

fn text(name: &str) -> String {
    fs::read_to_string(repository().join(name)).unwrap()
}

#[test]
fn hadolint_finds_nothing_in_the_dockerfile() {
    let hadolint = test_venv().unwrap().join("bin/hadolint");
    let (output, said) =
        run(Command::new(&hadolint).arg("--failure-threshold=style").arg(repository().join("Dockerfile")));
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// What the image is made of is in the context that is sent to the builder.
#[test]
fn the_dockerfile_copies_what_is_there() {
    let ignored = text(".dockerignore");
    let kept: Vec<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let dockerfile = text("Dockerfile");
    let mut copied = 0;
    for line in dockerfile.lines().filter(|line| line.starts_with("COPY") && !line.contains("--from=")) {
        let words: Vec<_> = line.split_whitespace().skip(1).filter(|word| !word.starts_with("--")).collect();
        for source in words[..words.len() - 1].iter().filter(|source| **source != ".") {
            assert!(repository().join(source).is_file(), "{source}");
            assert!(kept.iter().any(|kept| source.starts_with(kept)), "{source} is not sent to the builder");
            copied += 1;
        }
    }
    assert!(copied >= 6);
    for name in kept {
        assert!(repository().join(name).exists(), "{name}");
    }
}

#[test]
fn the_composition_is_one_and_its_parts_fit() {
    let composition = parse(&text("docker-compose.yml")).unwrap();
    let names = |field: &str| composition[field].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names("services"), ["server", "database", "cron"]);
    for (name, service) in composition["services"].as_object().unwrap() {
        for wanted in service["depends_on"].as_array().into_iter().flatten() {
            assert!(names("services").contains(&wanted.as_str().unwrap().to_owned()), "{name}");
        }
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let volume = volume.as_str().unwrap().split(':').next().unwrap().to_owned();
            assert!(names("volumes").contains(&volume), "{name}: {volume}");
        }
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port}");
        }
        // A secret comes from a file, or from the environment of who starts it; none is written here.
        for (variable, value) in service["environment"].as_object().unwrap() {
            let secret =
                ["KEY", "PASSWORD", "SECRET", "DATABASE_URL"].iter().any(|word| variable.contains(word));
            let value = value.as_str().unwrap_or_default();
            assert!(!secret || value.starts_with("/run/secrets/") || value.starts_with("${"), "{variable}");
        }
    }
    for bad in ["services: {a: {imaje: x}}", "services: {a: {image: x, networks: [none]}}", "services: [a]"] {
        parse(bad).unwrap_err();
    }
}

#[test]
fn secrets_are_made_once_for_every_file_that_is_mounted() {
    let composition = parse(&text("docker-compose.yml")).unwrap();
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("deploy")).unwrap();
    let script = home.path().join("deploy/make-secrets.sh");
    fs::copy(repository().join("deploy/make-secrets.sh"), &script).unwrap();
    let (output, said) = run(&mut Command::new(&script));
    assert!(output.status.success(), "{said}");
    let secrets = home.path().join("secrets");
    assert_eq!(fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o700);
    let read = |name: &str| fs::read_to_string(secrets.join(name)).unwrap();
    for (name, secret) in composition["secrets"].as_object().unwrap() {
        assert_eq!(secret["file"], format!("./secrets/{name}"));
        assert!(read(name).trim().len() >= 32 && !said.contains(read(name).trim()), "{name}");
    }
    assert!(read("database_url").contains(read("postgres_password").trim()));
    let before = read("admin_key");
    run(&mut Command::new(&script));
    assert_eq!(read("admin_key"), before);
}

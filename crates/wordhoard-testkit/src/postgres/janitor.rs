use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use std::os::unix::process::CommandExt;

/// Waits for the end of its input, which comes when the test closes it or dies in whatever way. Then ends what still
/// runs in the data directory (a frozen process does not notice that its postmaster died), gives back the segment of
/// shared memory that a killed postmaster leaves to the kernel (its id is in line 7 of `postmaster.pid`), unmounts
/// and removes.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
read -r _
for round in 1 2 3 4 5 6 7 8 9; do
    pids=$(find /proc/[0-9]* -maxdepth 1 -name cwd -lname "$1/data" 2>/dev/null | cut -d/ -f3)
    [ -n "$pids" ] || break
    kill -KILL $pids
    sleep 0.1
done
segment=$(sed -n '7s/.* //p' "$1/data/postmaster.pid" 2>/dev/null)
[ -z "$segment" ] || ipcrm -m "$segment"
if mountpoint -q "$1/data"; then umount "$1/data" || umount -l "$1/data"; fi
rm -rf --one-file-system "$1"
"#;

/// A process that clears a cluster's folder away, even after a test that was killed. Dropped, it does so at once.
#[derive(Debug)]
pub(super) struct Janitor(Child);

impl Janitor {
    /// Watches over `dir`, whose `data` is the data directory.
    pub(super) fn watch(dir: &Path) -> io::Result<Self> {
        let mut command = Command::new("sh");
        // A group of its own: who kills the test's group does not kill this.
        command.args(["-c", SCRIPT, "janitor"]).arg(dir).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn()?))
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}

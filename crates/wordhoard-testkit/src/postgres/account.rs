use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Stdio};

/// Who PostgreSQL runs as. It refuses to be root.
#[derive(Debug, Clone, Copy)]
pub(super) enum Account {
    /// The user of the test.
    Own,
    /// The test is root: another user's.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// The user of the test; `postgres` or `nobody` where that is root.
    pub(super) fn choose() -> io::Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        let passwd = fs::read_to_string("/etc/passwd")?;
        let of = |name: &str| {
            let mut fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
            let fields = fields.find(|fields| fields[0] == name)?;
            Some(Self::Other { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
        };
        of("postgres").or_else(|| of("nobody")).ok_or_else(|| {
            io::Error::other("PostgreSQL refuses root, and there is neither a user `postgres` nor `nobody`")
        })
    }

    /// A command of this account that dies with the thread that spawns it. `setpriv` is replaced by the program, so
    /// that the child's id is the program's. Nothing of the developer's own environment (`PGOPTIONS`, say) reaches it.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C");
        command.stdin(Stdio::null()).arg("--pdeathsig=KILL");
        if let Self::Other { uid, gid } = self {
            command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
        }
        command.arg("--").arg(program);
        command
    }

    /// Makes the account the owner of `path`.
    pub(super) fn own(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid)),
        }
    }
}

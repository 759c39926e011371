//! A command in a session of its own, with all processes that it starts. They end as soon as this program stops waiting for
//! them, or ends.

use std::io;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// Runs a command beside a process that terminates the whole session as soon as its input ends. This program holds the
/// other end of that pipe, which the system closes however this program ends. A process group would not do: `timeout`
/// moves its command to another one.
const WATCHED: &str = r#"exec 3<&0 </dev/null
(read -r _ <&3; pkill -TERM -s 0 || kill -TERM 0) >/dev/null 2>&1 &
exec "$@" 3<&-"#;

/// A running command. Dropping it terminates what is left of it.
pub struct Session {
    leader: Child,
    pipe: Option<ChildStdin>,
}

impl Session {
    /// A command for [`Session::start`], to which arguments, variables, a folder and outputs can be added. It has no input.
    pub fn command(program: &str) -> Command {
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", WATCHED, "sh", program]);
        command.stdin(Stdio::piped());
        command
    }

    pub fn start(command: &mut Command) -> io::Result<Session> {
        let mut leader = command.spawn()?;
        let pipe = leader.stdin.take();
        Ok(Session { leader, pipe })
    }

    /// Waits for the command.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.leader.wait()
    }

    /// The command's status, if it has ended.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.leader.try_wait()
    }

    /// What runs in it now, a line for each process: id, seconds since its start, state, where it waits, and command.
    pub fn processes(&self) -> String {
        let session = self.leader.id().to_string();
        let columns = "pid,etimes,stat,wchan:24,args";
        let output = Command::new("ps")
            .args(["-s", &session, "-o", columns])
            .output();
        match output {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(error) => format!("not listed: `ps` does not start: {error}"),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.leader.wait();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::path::PathBuf;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    #[test]
    fn the_status_is_that_of_the_command() {
        let mut session = Session::start(Session::command("sh").args(["-c", "exit 7"])).unwrap();
        assert_eq!(session.wait().unwrap().code(), Some(7));
        let status = session.try_wait().unwrap();
        assert_eq!(status.and_then(|status| status.code()), Some(7));
    }

    /// Also the command of `timeout`, in a process group of its own, and what the command has left in the background.
    #[test]
    fn processes_end_when_it_is_dropped() {
        const START: &str = "sleep 600 & echo $!; timeout 600 sh -c 'echo $$; exec sleep 600'";
        for wait in ["", " & sleep 1"] {
            let mut command = Session::command("sh");
            command.arg("-c").arg(START.to_string() + wait);
            let mut session = Session::start(command.stdout(Stdio::piped())).unwrap();
            let output = BufReader::new(session.leader.stdout.take().unwrap());
            let processes: Vec<PathBuf> = output
                .lines()
                .take(2)
                .map(|id| PathBuf::from("/proc").join(id.unwrap()))
                .collect();
            assert!(processes.iter().all(|process| process.exists()));
            if !wait.is_empty() {
                assert!(session.wait().unwrap().success());
            }
            drop(session);
            let start = Instant::now();
            // One whose parent has not waited for it yet is still listed.
            let runs = |process: &PathBuf| {
                let status = fs::read_to_string(process.join("status")).unwrap_or_default();
                !status.is_empty() && !status.contains("State:\tZ")
            };
            while processes.iter().any(runs) {
                assert!(start.elapsed() < Duration::from_secs(10), "{processes:?}");
                sleep(Duration::from_millis(10));
            }
        }
    }
}

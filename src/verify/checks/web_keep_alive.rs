//! `web.keep-alive`: the edge does not open a connection for each request.
//!
//! Seen from inside the edge's container, in the kernel's list of connections: one to a replica that
//! stands while nothing is asked, and still stands after more has been asked, is one that is used again.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "web.keep-alive",
    suite: Suite::Web,
    requirements: &["PD-1.2"],
    expected: "connections from the edge to the replicas stay open from one request to the next",
    strains: false,
    run: |context| Box::pin(check(context)),
};

/// Enough that each worker of the edge has had a turn or two.
const REQUESTS: usize = 12;

/// The state of a connection that stands (`TCP_ESTABLISHED` of the kernel).
const ESTABLISHED: &str = "01";

async fn check(context: &Context<'_>) -> Outcome {
    judge(context).await.unwrap_or_else(|outcome| outcome)
}

async fn judge(context: &Context<'_>) -> Result<Outcome, Outcome> {
    let web = context.stack.verify.web.as_ref();
    let Some(path) = web.and_then(|web| web.health.as_deref()) else {
        return Err(Outcome::skip(
            "the stack says by `health` in [verify.web] no path of its replicas",
        ));
    };
    ask(context, path).await?;
    let before = standing(context).await?;
    ask(context, path).await?;
    let after = standing(context).await?;
    let kept = before.intersection(&after).count();
    let none = format!(
        "of the connections to replicas after {REQUESTS} requests ({}), none is there after {REQUESTS} more",
        before.len()
    );
    let faults: Vec<String> = (kept == 0).then_some(none).into_iter().collect();
    Ok(Outcome::judge(
        &faults,
        format!("{kept} connections to replicas outlast {REQUESTS} requests"),
    ))
}

async fn ask(context: &Context<'_>, path: &str) -> Result<(), Outcome> {
    for _ in 0..REQUESTS {
        let answer = context.edge_get(path).await;
        answer.map_err(|cause| Outcome::fail(format!("GET {path}: {cause}")))?;
    }
    Ok(())
}

/// Connections of the edge to replicas, by their two ends.
async fn standing(context: &Context<'_>) -> Result<BTreeSet<(SocketAddr, SocketAddr)>, Outcome> {
    let replicas: Vec<IpAddr> = context
        .upstream()?
        .iter()
        .filter_map(|replica| replica.address)
        .collect();
    let edge = context.stack.edge.as_ref();
    let edge = edge.ok_or_else(|| Outcome::skip("the stack has no [edge]"))?;
    let replica = context.running(&edge.service).map_err(Outcome::fail)?;
    // One of the lists may not be there: not every kernel has both families.
    let lists = ["cat", "/proc/net/tcp", "/proc/net/tcp6"];
    let read = context.exec(replica, &lists).await;
    let read = read.map_err(|error| Outcome::fail(error.to_string()))?;
    let text = String::from_utf8_lossy(&read.stdout);
    if text.is_empty() {
        return Err(Outcome::fail(format!(
            "the connections of {} cannot be seen: {}",
            replica.name,
            read.text()
        )));
    }
    let to_replica =
        |end: &SocketAddr| end.port() == edge.port && replicas.contains(&end.ip().to_canonical());
    Ok(text
        .lines()
        .filter_map(connection)
        .filter(|(_, end)| to_replica(end))
        .collect())
}

/// A line of `/proc/net/tcp`, if the connection stands: number, local and remote end, state …
fn connection(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    (state == ESTABLISHED).then_some((end(local)?, end(remote)?))
}

/// `0100007F:1F90`: words of the address as a little-endian machine has them, and the port.
fn end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = address.get(8 * at..8 * at + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_le_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut bytes = [0; 16];
            for (byte, from) in bytes.iter_mut().zip(words.iter().flatten()) {
                *byte = *from;
            }
            IpAddr::from(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::connection;

    #[test]
    fn what_stands_is_read_of_either_family_and_nothing_else() {
        let pair = |line| connection(line).map(|(local, remote)| format!("{local} {remote}"));
        assert_eq!(
            pair(
                "   3: 050014AC:A1B2 040014AC:1F90 01 00000000:00000000 00:00000000 00000000  1000 0 7 1"
            ),
            Some("172.20.0.5:41394 172.20.0.4:8080".into())
        );
        assert_eq!(
            pair(
                "0: B80D0120000000000000000005000000:A1B2 0000000000000000FFFF0000040014AC:1F90 01 0"
            ),
            Some("[2001:db8::5]:41394 [::ffff:172.20.0.4]:8080".into())
        );
        for line in [
            "  sl  local_address rem_address   st tx_queue rx_queue",
            "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000",
            "   3: 050014AC:A1B2 040014AC:1F90 06 00000000:00000000",
            "   3: 050014:A1B2 040014AC:1F90 01",
            "",
        ] {
            assert_eq!(pair(line), None, "{line}");
        }
    }
}

//! `database.pool-fits`: the database has a connection for all that the replicas may open.

use serde_json::json;

use crate::verify::{Check, Context, Outcome, Suite, server};

pub(super) const CHECK: Check = Check {
    id: "database.pool-fits",
    suite: Suite::Database,
    requirements: &["PROD-02", "PD-7.1"],
    expected: "all replicas' pools, those that run beside them while they are replaced, and verify.database.reserve together are no more than the server's max_connections",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    let Some(database) = &context.stack.verify.database else {
        return Outcome::skip("the stack has no [verify.database]");
    };
    let Some(migrations) = &context.stack.migrations else {
        return Outcome::skip("the stack has no [migrations], which says where its database is");
    };
    let mut pools = Vec::new();
    for evidence in context.evidence.of(&migrations.service) {
        let Some(report) = evidence.report() else {
            return Outcome::fail(format!(
                "{} does not say how large its pool is",
                evidence.replica.name
            ));
        };
        pools.push(report.database.pool.max);
    }
    if pools.is_empty() {
        return Outcome::fail(format!("no replica of {} is there", migrations.service));
    }
    let service = context.stack.services.get(&migrations.service);
    let count = u32::try_from(pools.len()).unwrap_or(u32::MAX);
    let beside = service.map_or(0, |service| {
        context
            .stack
            .at_a_time(service, count)
            .saturating_sub(count)
    });
    let limit = server::max_connections(context, migrations).await;
    match limit {
        Err(cause) => Outcome::fail(format!("the server's limit cannot be read: {cause}")),
        Ok(limit) => judge(&pools, beside, database.reserve, limit)
            .with(json!({ "pools": pools, "beside": beside, "reserve": database.reserve, "max_connections": limit })),
    }
}

/// `beside` is how many replicas more run while these are replaced.
fn judge(pools: &[usize], beside: u32, reserve: u32, limit: u64) -> Outcome {
    let largest = pools.iter().max().copied().unwrap_or_default();
    let more = largest.saturating_mul(beside as usize);
    let pooled = pools.iter().sum::<usize>().saturating_add(more);
    let pooled = u64::try_from(pooled).unwrap_or(u64::MAX);
    let needed = pooled.saturating_add(reserve.into());
    let sum = format!(
        "{pooled} connections of {} replicas, {beside} more while they are replaced, and {reserve} in reserve",
        pools.len()
    );
    if needed <= limit {
        Outcome::pass(format!("{sum}, of {limit}"))
    } else {
        Outcome::fail(format!("{sum} are more than the server's {limit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::verify::Verdict;

    #[test]
    fn the_limit_itself_fits_and_one_more_does_not() {
        assert_eq!(judge(&[8; 4], 0, 10, 42).verdict, Verdict::Pass);
        let found = judge(&[8; 4], 0, 10, 41);
        assert_eq!(found.verdict, Verdict::Fail);
        assert!(found.observed.contains("32 connections of 4 replicas"));
    }

    #[test]
    fn old_and_new_replicas_have_pools_at_the_same_time() {
        assert_eq!(judge(&[8; 4], 4, 10, 74).verdict, Verdict::Pass);
        assert_eq!(judge(&[8; 4], 4, 10, 73).verdict, Verdict::Fail);
    }
}

//! `database.pool-fits`: the database has a connection for all that the replicas may open.

use serde_json::json;

use crate::verify::{Check, Context, Outcome, Suite, server};

pub(super) const CHECK: Check = Check {
    id: "database.pool-fits",
    suite: Suite::Database,
    requirements: &["PROD-02", "PD-7.1"],
    expected: "all replicas' pools and verify.database.reserve together are no more than the server's max_connections",
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
    let limit = server::max_connections(context, migrations).await;
    match limit {
        Err(cause) => Outcome::fail(format!("the server's limit cannot be read: {cause}")),
        Ok(limit) => judge(&pools, database.reserve, limit)
            .with(json!({ "pools": pools, "reserve": database.reserve, "max_connections": limit })),
    }
}

fn judge(pools: &[usize], reserve: u32, limit: u64) -> Outcome {
    let pooled: usize = pools.iter().sum();
    let pooled = u64::try_from(pooled).unwrap_or(u64::MAX);
    let needed = pooled.saturating_add(reserve.into());
    let sum = format!(
        "{pooled} connections of {} replicas and {reserve} in reserve",
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
        assert_eq!(judge(&[8; 4], 10, 42).verdict, Verdict::Pass);
        let found = judge(&[8; 4], 10, 41);
        assert_eq!(found.verdict, Verdict::Fail);
        assert!(found.observed.contains("32 connections of 4 replicas"));
    }
}

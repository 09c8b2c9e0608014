//! A bucket of a server that speaks S3.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, Request};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpConnector as _, HttpRequestBody, ReqwestConnector};
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{Certificate, ClientOptions, RetryConfig};

use super::Error;
use crate::config;

const CONNECT: Duration = Duration::from_secs(5);
/// Of one request with its body: no copy goes in one, only a [piece](super::PIECE) of one.
const REQUEST: Duration = Duration::from_mins(2);
/// With all its repetitions: one that took too long is asked once more.
const REPEATED: Duration = Duration::from_mins(5);

/// A client of the bucket, and whether an absent bucket is to be made.
pub(super) fn open(s3: &config::S3) -> anyhow::Result<(Arc<AmazonS3>, Option<Maker>)> {
    let options = options(s3)?;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&s3.bucket)
        .with_region(&s3.region)
        .with_access_key_id(&s3.access_key)
        .with_secret_access_key(s3.secret_key())
        .with_retry(RetryConfig {
            max_retries: 3,
            retry_timeout: REPEATED,
            ..RetryConfig::default()
        })
        .with_client_options(options.clone());
    if let Some(endpoint) = &s3.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    let bucket = Arc::new(builder.build()?);
    let maker = s3.create_bucket.then(|| Maker {
        bucket: Arc::clone(&bucket),
        name: s3.bucket.clone(),
        options,
    });
    Ok((bucket, maker))
}

fn options(s3: &config::S3) -> anyhow::Result<ClientOptions> {
    let authorities = s3.ca.as_deref().map(Certificate::from_pem_bundle);
    let options = ClientOptions::new()
        .with_connect_timeout(CONNECT)
        .with_timeout(REQUEST)
        .with_allow_http(s3.insecure);
    Ok(authorities
        .transpose()?
        .into_iter()
        .flatten()
        .fold(options, ClientOptions::with_root_certificate))
}

/// Makes the bucket.
#[derive(Debug)]
pub(super) struct Maker {
    bucket: Arc<AmazonS3>,
    name: String,
    options: ClientOptions,
}

impl Maker {
    /// No fault when another replica was quicker.
    pub(super) async fn make(&self) -> Result<(), Error> {
        // The store works inside of a bucket only; but it signs requests, and that of its root is
        // the one that makes it.
        let url = self
            .bucket
            .signed_url(Method::PUT, &Path::default(), CONNECT)
            .await?;
        let refused = |cause: String| Error::NoBucket {
            name: self.name.clone(),
            cause,
        };
        let request = Request::put(url.as_str())
            .body(HttpRequestBody::empty())
            .map_err(|error| refused(error.to_string()))?;
        let client = ReqwestConnector::default().connect(&self.options)?;
        // The address is a password for a moment: it stands in no message.
        let answer = client
            .execute(request)
            .await
            .map_err(|error| refused(format!("{:?}", error.kind())))?;
        match answer.status().as_u16() {
            200 => {
                tracing::info!(bucket = self.name, "the bucket was missing and was made");
                Ok(())
            }
            409 => Ok(()),
            status => Err(refused(format!("the server answered {status}"))),
        }
    }
}

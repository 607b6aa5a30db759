//! The `Stripe-Signature` header.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The header for a body that is sent at a time, with one signature for each secret. The key is the
/// whole secret as it's written, with its `whsec_`.
pub(crate) fn header<'a>(
    at: i64,
    body: &str,
    secrets: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut header = format!("t={at}");
    for secret in secrets {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
        mac.update(format!("{at}.{body}").as_bytes());
        header.push_str(",v1=");
        header.push_str(&hex::encode(mac.finalize().into_bytes()));
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_signs() {
        let header = header(1_700_000_000, "{}", ["whsec_a", "whsec_b"]);
        let parts: Vec<&str> = header.split(',').collect();
        assert_eq!(parts[0], "t=1700000000");
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec_a
        assert_eq!(parts[1], "v1=04339dc4f01d6541e8d3b7e4bd93cd2d4f680ccb28592270900b08e49cc09e57");
        assert!(parts[2].starts_with("v1=") && parts[2] != parts[1]);
    }
}

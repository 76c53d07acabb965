//! The Lambda function `bootstrap`. All of it is `authorizer::lambda`.

/// One thread: a Lambda environment works on one event at a time, and starting more costs every cold start.
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    match authorizer::lambda::run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

//! The program from outside: `authbench` as it is built, with real processes and real sockets. One binary, since each more
//! would link the whole bench once more.

mod bad_input;
#[cfg(target_os = "linux")]
mod cold_disk;
mod command_line;
mod comparison;
mod crate_edges;
mod failing_targets;
mod full_disk;
mod invoke_endpoint;
mod lint;
mod load_connections;
mod load_url;
mod phases;
mod processes;
mod real_issuer;
mod report_formats;
mod scenario_docs;
mod serve_idp;
mod support;
mod survey;
mod tutorial;
mod whole_run;

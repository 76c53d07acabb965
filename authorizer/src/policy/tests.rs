//! The compiler against a model of API Gateway and IAM that shares no code with it, and what its answers look like.

mod answers;
mod faults;
mod model;
mod outputs;
mod requests;
mod small_tables;
mod token;

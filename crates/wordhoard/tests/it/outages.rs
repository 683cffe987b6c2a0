//! The database goes away in every way it can, while eight streams run and a prompt comes each second: nobody
//! notices, and afterwards SQL holds exactly what the clients saw.

mod audit;
mod day;
mod disk;
mod flaps;
pub mod load;
mod network;
mod pace;
mod probe;
mod replay;
pub mod scene;
mod start;

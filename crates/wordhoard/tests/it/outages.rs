//! The database goes away in every way it can, while eight streams run and a prompt comes each second: nobody
//! notices, and afterwards SQL holds exactly what the clients saw.

mod audit;
mod day;
mod disk;
mod flaps;
mod load;
mod network;
mod pace;
mod probe;
mod replay;
mod scene;
mod start;

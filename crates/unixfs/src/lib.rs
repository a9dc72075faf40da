//! Files and directories as Dags

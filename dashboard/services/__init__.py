"""What pages call: uploads, jobs, stored analyses. Services draw nothing."""

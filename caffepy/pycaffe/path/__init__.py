"""A folder for sys.path, by which processes that begin anew find `caffe`."""

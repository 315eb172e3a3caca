package Chorus::Sentinel;

# A sentinel of the test's own: Debian's redis-server in that mode.
#
#     my $sentinel = Chorus::Sentinel->start(port => free_port(),
#         master => $redis->{port}, quorum => 2);
#     $sentinel->master       the port of the master it names
#
# It watches under the name "chorus", and is fast about it, but not so fast that
# a master on a busy machine seems to be dead.

use strict;
use warnings;

use POSIX ();

use Chorus::Fixture;
use parent -norequire, 'Chorus::Redis';
use Chorus::Redis;


# Options: those of Chorus::Redis, master (a port), quorum.
sub start {
    my ($class, %options) = @_;

    return $class->SUPER::start(quorum => 1, %options);
}


# A configuration that it may rewrite; kept when it starts again.
sub configuration {
    my ($self) = @_;

    my $path = "$self->{path}.conf";
    my $port = $self->{port};
    my ($master, $quorum) = @{ $self->{options} }{qw(master quorum)};

    write_file($path, <<"END") unless -e $path;
port $port
bind 127.0.0.1
unixsocket $self->{path}
dir $self->{folder}
sentinel monitor chorus 127.0.0.1 $master $quorum
sentinel down-after-milliseconds chorus 4000
sentinel failover-timeout chorus 3000
END
    return $path;
}


sub command {
    my ($self) = @_;

    return ('redis-server', $self->configuration, '--sentinel',
        @{ $self->{args} });
}


sub master {
    my ($self) = @_;

    my $address = eval {
        $self->call(qw(SENTINEL get-master-addr-by-name chorus)) };
    return $address ? $address->[1] : 0;
}

1;

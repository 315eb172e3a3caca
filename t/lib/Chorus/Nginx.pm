package Chorus::Nginx;

# An nginx of the test's own, for what needs signals, several worker
# processes or a client that misbehaves.  Uses the folder, the port and the
# settings of the harness, as the other tests do.
#
#     my $nginx = Chorus::Nginx->start(http => ..., config => ...);
#     my $reply = $nginx->exchange($bytes);      { status, headers, body }
#     my $reply = $nginx->exchange_http2($bytes);
#     my @replies = $nginx->at_once($bytes, $bytes);
#     my $text = Chorus::Nginx->check(http => ..., config => ...);

use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

use Chorus::Fixture;

our $Root = $ENV{TEST_NGINX_SERVROOT} || "$Folder/servroot";
our $Port = $ENV{TEST_NGINX_SERVER_PORT};

my @running;


# http and config: text of the http and of the server block; processes: how
# many workers; connections: of each; log: level of error.log.
sub start {
    my ($class, %options) = @_;

    my $self = $class->prepare(%options);
    system($self->command) == 0 or die "nginx does not start:\n", $self->log;
    push @running, $self;
    wait_for { $self->pid && $self->workers == $self->{processes} }
        or die "nginx has no processes:\n", $self->log;
    return $self;
}


sub prepare {
    my ($class, %options) = @_;

    my $self = bless {
        http => http_config(), config => server_config(), processes => 1,
        connections => 256, log => 'info', %options,
    }, $class;

    remove_tree($Root);
    make_path("$Root/logs", "$Root/conf");
    $self->write_config;
    return $self;
}


# What `nginx -t` says of such a configuration.  Not while one runs.
sub check {
    my ($class, %options) = @_;

    my @command = $class->prepare(%options)->command('-t', '-q');
    return scalar `@command 2>&1`;
}


sub command {
    my ($self, @more) = @_;

    return ($ENV{TEST_NGINX_BINARY} || 'nginx', '-p', "$Root/",
        '-c', "$Root/conf/nginx.conf", '-e', "$Root/logs/error.log", @more);
}


sub write_config {
    my ($self) = @_;

    my $modules = join '', map { "load_module $_;\n" } split ' ',
        $ENV{TEST_NGINX_LOAD_MODULES} // $ENV{CHORUS_MODULE} // '';
    my $user = $> == 0 ? 'user root;' : '';
    my $temp = join '', map { "    ${_}_temp_path $Root/${_}_temp;\n" }
        qw(client_body proxy fastcgi scgi uwsgi);

    write_file("$Root/conf/nginx.conf", <<"END");
${modules}worker_processes $self->{processes};
error_log $Root/logs/error.log $self->{log};
pid $Root/logs/nginx.pid;
$user
events { worker_connections $self->{connections}; }

http {
    access_log $Root/logs/access.log;
$temp
$self->{http}

    server {
        listen 127.0.0.1:$Port;
        client_max_body_size 0;
$self->{config}
    }
}
END
}


sub pid {
    my ($pid) = read_file("$Root/logs/nginx.pid") =~ /^(\d+)$/ or return;
    return kill(0, $pid) ? $pid : undef;
}


sub workers {
    my ($self) = @_;

    my $pid = $self->pid or return;
    return split ' ', read_file("/proc/$pid/task/$pid/children");
}


sub log { read_file("$Root/logs/error.log") }
sub access_log { read_file("$Root/logs/access.log") }


# Returns when all processes of the configuration before are gone.
sub reload {
    my ($self, %options) = @_;

    $self->hup(%options);
    my %old = map { $_ => 1 } @{ $self->{old} };
    return wait_for { !grep { $old{$_} } $self->workers } 20;
}


# Returns when there are new processes; the old ones may still be at work.
sub hup {
    my ($self, %options) = @_;

    %$self = (%$self, %options);
    $self->write_config;
    $self->{old} = [$self->workers];
    my %old = map { $_ => 1 } @{ $self->{old} };
    kill 'HUP', $self->pid;
    return wait_for {
        (grep { !$old{$_} } $self->workers) == $self->{processes};
    };
}


# Returns whether it went by itself, within that many seconds.
sub stop {
    my ($self, $signal, $seconds) = @_;

    my $pid = $self->pid or return 1;
    local $?;
    kill $signal // 'QUIT', $pid;
    return 1 if wait_for { !is_alive($pid) } $seconds // 10;

    kill 'KILL', $self->workers, $pid;
    wait_for { !is_alive($pid) };
    return 0;
}


# A zombie that its parent has not asked for is gone, too.
sub is_alive {
    my ($pid) = @_;

    return read_file("/proc/$pid/stat") =~ /\) [^ZX] /;
}


sub connect {
    my ($self) = @_;

    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $Port)
        // die "nginx: $!\n";
}


# One request on a connection of its own, until nginx closes it.
sub exchange {
    my ($self, $bytes, $seconds) = @_;

    my $socket = $self->connect;
    local $SIG{PIPE} = 'IGNORE';
    my $begin = time;
    my $select = IO::Select->new($socket);
    my $text = '';

    # a refusal may come while a body is still being sent
    $seconds //= 40;
    while (length $bytes) {
        my ($readable, $writable) = IO::Select->select($select, $select,
            undef, $seconds);
        last unless $writable && @$writable;
        last if @$readable && !sysread $socket, $text, 65536, length $text;
        my $count = syswrite $socket, $bytes, 65536;
        last unless defined $count;
        substr $bytes, 0, $count, '';
    }

    while ($select->can_read($seconds)) {
        last unless sysread $socket, $text, 65536, length $text;
    }

    return { parse($text), seconds => time - $begin };
}


# All of them in one turn of the event loop of the only process, each on a
# connection of its own: it sleeps while they are sent.  A client whose request
# is a reference does not wait for an answer, but goes at once.
sub at_once {
    my ($self, @requests) = @_;

    my ($worker) = $self->workers;
    my @clients = map { $self->connect } @requests;
    for my $client (@clients) {
        # its connection has been accepted, and then is kept
        syswrite $client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        my $text = '';
        sysread $client, $text, 65536, length $text or last
            until $text =~ m{</Error>\s*$};
    }

    kill 'STOP', $worker;
    wait_for { read_file("/proc/$worker/stat") =~ /\) T / };
    for (0 .. $#requests) {
        syswrite $clients[$_], ref $requests[$_] ? ${ $requests[$_] }
            : $requests[$_];
        close $clients[$_] if ref $requests[$_];
    }
    kill 'CONT', $worker;

    return map { { parse(read_rest($_)) } } grep { $_->opened } @clients;
}


# Until it is closed.
sub read_rest {
    my ($socket) = @_;

    my ($text, $select) = ('', IO::Select->new($socket));
    while ($select->can_read(40)) {
        last unless sysread $socket, $text, 65536, length $text;
    }

    return $text;
}


# The same request by HTTP/2, at a socket in the folder that the test listens
# on; with_length: with a Content-Length.
sub exchange_http2 {
    my ($self, $bytes, $with_length) = @_;

    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
    my ($line, @headers) = split /\r\n/, $head;
    my ($method, $target) = split / /, $line;
    my %drop = map { $_ => 1 } qw(connection content-length host
        transfer-encoding);
    my @options = map { ('-H', /: *$/ ? s/: *$/;/r : $_) }
        grep { !/^([^:]+)/ || !$drop{lc $1} } @headers;
    push @options, '-H', 'Content-Length:' unless $with_length;
    push @options, '--data-binary', "\@$Folder/http2.body" if length $body;
    write_file("$Folder/http2.body", $body);

    open my $curl, '-|', 'curl', '-sSi', '--http2-prior-knowledge',
        '--path-as-is', '--max-time', 60, '--unix-socket', "$Folder/h2.sock",
        '-X', $method, @options, '-H', 'Expect:', '-H', 'Content-Type:',
        "http://localhost$target" or die "curl: $!\n";
    local $/;
    my $text = readline($curl) // '';
    close $curl;
    return { parse($text =~ s{^HTTP/2 (\d+)}{HTTP/1.1 $1}r) };
}


sub parse {
    my ($text) = @_;

    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($status) = ($head // '') =~ m{^HTTP/1\.1 (\d+)};
    my %headers = map { /^([^:]+): *(.*)/ ? (lc $1 => $2) : () }
        split /\r\n/, $head // '';

    if (($headers{'transfer-encoding'} // '') eq 'chunked') {
        my ($rest, $decoded) = ($body, '');
        while ($rest =~ s/^([0-9a-f]+)\r\n//i && hex $1) {
            $decoded .= substr $rest, 0, hex $1, '';
            $rest =~ s/^\r\n//;
        }
        $body = $decoded;
    }

    return (status => $status // 0, headers => \%headers, body => $body // '',
        text => $text);
}


END {
    if (Chorus::Fixture::is_owner()) {
        $_->stop('TERM', 3) for @running;
    }
}

1;

package Test::Nginx::Socket::Sections;

# Every section of a block is used or stops the run: a test must never pass
# because its expectation was not looked at.

use strict;
use warnings;

use Exporter 'import';
use Scalar::Util qw(looks_like_number);
use Test::Nginx::Socket::Settings qw(bail_out);

our @EXPORT_OK = qw(section check_sections indexed_value);

# Sections of nginx's configuration: they need a config to be applied with.
my @WITH_CONFIG = qw(
    error_log_file http_config log_level main_config must_die
    post_main_config post_setup_server_root server_name
    suppress_stderr user_files
);

my @SUPPORTED = (@WITH_CONFIG, qw(
    abort access_log config error_code error_code_like error_log
    grep_error_log grep_error_log_out http09 ignore_response init
    more_headers no_access_log no_error_log no_shutdown_error_log
    pipelined_requests raw_request raw_request_middle_delay
    raw_response_headers_like raw_response_headers_unlike request
    request_eval response_body response_body_eval response_body_like
    response_body_unlike response_headers response_headers_like
    server_addr_for_client shutdown shutdown_error_log skip_nginx
    tcp_listen tcp_no_close tcp_query tcp_query_auto_timeout tcp_query_len
    tcp_reply tcp_reply_delay tcp_shutdown tcp_shutdown_delay timeout wait
    ONLY LAST SKIP
));

my @GENUINE_ONLY = qw(
    charset curl curl_error curl_options curl_protocol http2 http3
    no_check_leak no_http2 no_http3 no_mockeagain quic_max_idle_timeout
    reload_fails response_body_filters response_body_json_sort skip_eval
    skip_nginx2 skip_openssl skip_slave stap stap_out stap_out_like
    stap_out_unlike todo todo_nginx udp_listen udp_query udp_reply
    udp_reply_delay write_resp_body_file
);

# Of each group the genuine module looks at one section only.
my @EXCLUSIVE = (
    [qw(response_body response_body_eval response_body_like
        response_body_unlike)],
    [qw(response_headers response_headers_like)],
    [qw(error_code error_code_like)],
    [qw(request request_eval raw_request pipelined_requests)],
);

# With these there is no response to compare.
my @RESPONSE = qw(
    access_log error_code error_code_like no_access_log
    raw_response_headers_like raw_response_headers_unlike
    response_body response_body_eval response_body_like response_body_unlike
    response_headers response_headers_like
);

my @TCP = qw(
    tcp_no_close tcp_query tcp_query_auto_timeout tcp_query_len tcp_reply
    tcp_reply_delay tcp_shutdown tcp_shutdown_delay
);

# Without a unit, unlike timeout and tcp_reply_delay.
my @SECONDS = qw(wait raw_request_middle_delay tcp_shutdown_delay);

my %supported    = map { $_ => 1 } @SUPPORTED;
my %genuine_only = map { $_ => 1 } @GENUINE_ONLY;

# What Test::Base itself keeps in a block.
my %internal = map { $_ => 1 } qw(
    name description seq_num is_filtered blocks_object original_values
    _section_map _section_order
);


# undef when the block has no such section.  Not $block->$name: in list
# context that is an empty list then.
sub section {
    my ($block, $name) = @_;

    return $block->{$name} ? $block->{$name}[0] : undef;
}


# The value for one of several requests.
sub indexed_value {
    my ($block, $section, $at) = @_;

    my $value = section($block, $section);
    return $value if $at->{total} == 1 && ref $value ne 'ARRAY';

    bail_out($block->name, " - $at->{total} requests: --- $section needs an",
        ' array') if ref $value ne 'ARRAY';
    bail_out($block->name, " - --- $section has ", scalar @$value,
        " values for $at->{total} request(s)") if @$value > $at->{total};

    return $value->[$at->{index}];
}


sub check_sections {
    my ($block) = @_;

    my $complain = sub {
        bail_out("$0 ", $block->name, ' - ', @_);
    };

    check_known($block, $complain);
    check_repeated($block, $complain);
    check_swallowed($block, $complain);
    check_combined($block, $complain);

    for my $name (@SECONDS) {
        my $value = section($block, $name);
        $complain->("--- $name must be a number of seconds: $value")
            if defined $value && !looks_like_number($value);
    }
}


sub check_known {
    my ($block, $complain) = @_;

    for my $name (sort grep { !$internal{$_} } keys %$block) {
        next if $supported{$name};
        $complain->("section --- $name is not supported by t/lib")
            if $genuine_only{$name};
        $complain->("unknown section --- $name");
    }
}


sub check_repeated {
    my ($block, $complain) = @_;

    my %seen;
    for my $name (@{ section($block, '_section_order') || [] }) {
        $complain->("section --- $name appears twice") if $seen{$name}++;
    }
}


# A marker that Test::Base does not recognise ("---name", or the last line
# of the file without a newline) becomes text of the section before it.
sub check_swallowed {
    my ($block, $complain) = @_;

    my %text = %{ $block->original_values || {} };
    for my $name (sort keys %text) {
        next unless defined $text{$name} && !ref $text{$name};
        while ($text{$name} =~ /^---[ \t]*(\w+)/mg) {
            $complain->("--- $1 is swallowed by --- $name")
                if $supported{$1} || $genuine_only{$1};
        }
    }
}


sub check_combined {
    my ($block, $complain) = @_;

    my $has = sub { grep { defined section($block, $_) } @_ };

    for my $group (@EXCLUSIVE) {
        my @found = $has->(@$group);
        $complain->("--- $found[0] and --- $found[1] exclude each other")
            if @found > 1;
    }

    my @alone = $has->('config') ? () : $has->(@WITH_CONFIG);
    $complain->("--- $alone[0] has no effect without --- config") if @alone;

    my @unused = $has->(qw(ignore_response must_die)) ? $has->(@RESPONSE) : ();
    $complain->("--- $unused[0] is not compared, there is no response")
        if @unused;

    my @tcp = $has->('tcp_listen') ? () : $has->(@TCP);
    $complain->("--- $tcp[0] has no effect without --- tcp_listen") if @tcp;
}


# Test::Base takes the filters of a Test::Nginx::Socket from here.
package Test::Nginx::Socket::Filter;

our @ISA = ('Test::Base::Filter');

# Test::Base's filter makes the error the value of the section, and then a
# no_error_log with a typo in it passes.
sub eval {
    my ($self, @text) = @_;

    my @value = $self->SUPER::eval(@text);
    Test::Nginx::Socket::Settings::bail_out("$0 ",
        $self->current_block->name, " - eval: $@") if $@;

    return @value;
}

require Test::Base::Filter;

1;
